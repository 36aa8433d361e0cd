import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeGraph, makeModel, makeNode, makeTensor, makeValueInfo, writeModel } from '@neural-engine/onnx';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { encoderModel } from '../../../tooling/models/encoder';
import { cacheLimit, madeBy, packedKey } from './cache';
import { type LoadOptions, load } from './index';

const folder = mkdtempSync(join(tmpdir(), 'ne-cache-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => {
  delete process.env['NE_CACHE_BYTES'];
});
const models = [1, 2, 3].map((seed) => join(folder, `${seed}.onnx`));
beforeAll(async () => {
  const shape = { family: 'distilbert', layers: 1, hidden: 64, heads: 2, ffn: 64, vocabulary: 100, positions: 64 } as const;
  for (const [i, path] of models.entries()) await writeModel(encoderModel({ ...shape, seed: i + 1 }), path);
});
const packed = (cache: string): string[] => readdirSync(cache).filter((name) => name.endsWith('.neweights'));

describe('the cache of packed weights', () => {
  it('keeps below its limit by removing what was unused for longest, and what killed writers left', async () => {
    const cache = join(folder, 'limited');
    for (const model of models.slice(0, 2)) await load(model, { cache });
    expect(packed(cache)).toHaveLength(2);
    const left = join(cache, '.ne-writing-4194305-0');
    writeFileSync(left, 'half');
    process.env['NE_CACHE_BYTES'] = String(Math.floor(1.5 * statSync(join(cache, packed(cache)[0]!)).size));
    expect((await load(models[2]!, { cache })).warm).toBe(false);
    expect(packed(cache)).toHaveLength(1);
    expect(existsSync(left)).toBe(false);
    expect((await load(models[2]!, { cache })).warm).toBe(true);
  });

  it('keeps what a clock has chosen apart from what the costs alone choose, and thresholds that mean the same together', async () => {
    const cache = join(folder, 'tuned');
    const [model] = models;
    const warm = async (options: LoadOptions): Promise<boolean> => (await load(model!, { cache, ...options })).warm;
    expect([await warm({}), await warm({ tune: 'off' }), await warm({ tune: 'on' }), await warm({ tune: 'off' })]).toEqual([
      false,
      false,
      true,
      true,
    ]);
    expect([await warm({ sparse: 'threshold' }), await warm({ sparse: 'threshold', sparseThreshold: 0.7 })]).toEqual([false, true]);
    expect(await warm({ sparse: 'auto', sparseThreshold: 0.6 })).toBe(true);
  });

  it('leaves a folder of the caller alone', async () => {
    process.env['NE_CACHE_BYTES'] = '1';
    for (const [i, model] of models.entries()) await load(model, { packedFile: join(folder, 'own', `${i}.neweights`) });
    expect(packed(join(folder, 'own'))).toHaveLength(3);
  });

  it('has a limit of 8 GiB, or one in bytes', () => {
    expect(cacheLimit()).toBe(8 * 2 ** 30);
    for (const text of ['much', '-1', '1e9']) {
      process.env['NE_CACHE_BYTES'] = text;
      expect(() => cacheLimit()).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
    }
  });
});

/** What y = x · W gives for a row of ones. */
async function productOf(path: string, options: LoadOptions): Promise<{ warm: boolean; y: number }> {
  const model = await load(path, options);
  await using session = await model.session({ threads: 1 });
  const { y } = await session.run({ x: { dtype: 'f32', dims: [1, 16], data: new Float32Array(16).fill(1) } });
  return { warm: model.warm, y: (y!.data as Float32Array)[0]! };
}

/** Saves y = x · W, W [16, 64] all of one number. */
async function writeProduct(path: string, weight: number, location?: string): Promise<void> {
  const graph = makeGraph({
    nodes: [makeNode('MatMul', ['x', 'w'], ['y'], { name: 'product' })],
    inputs: [makeValueInfo('x', 'f32', ['rows', 16])],
    outputs: [makeValueInfo('y', 'f32', ['rows', 64])],
    initializers: [makeTensor('w', 'f32', [16, 64], new Float32Array(1024).fill(weight))],
  });
  await writeModel(makeModel(graph), path, { force: true, ...(location ? { externalData: { location } } : {}) });
}

describe('packed weights of a model with external data', () => {
  /** Saves `model.onnx` and `w.data` into a folder of their own. */
  const saved = async (name: string, weight: number): Promise<{ model: string; data: string }> => {
    const [model, data] = ['model.onnx', 'w.data'].map((file) => join(folder, name, file)) as [string, string];
    mkdirSync(join(folder, name));
    await writeProduct(model, weight, 'w.data');
    return { model, data };
  };

  it('are packed again where only the data changed', async () => {
    const [one, two] = [await saved('one', 1), await saved('two', 2)];
    const cache = join(folder, 'external');
    expect(await productOf(one.model, { cache })).toEqual({ warm: false, y: 16 });
    expect(await productOf(one.model, { cache })).toEqual({ warm: true, y: 16 });
    writeFileSync(one.data, readFileSync(two.data));
    expect(await productOf(one.model, { cache })).toEqual({ warm: false, y: 32 });
    expect(await productOf(one.model, { cache })).toEqual({ warm: true, y: 32 });
    rmSync(one.data);
    await expect(load(one.model, { cache })).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  });

  it('are told apart where two revisions share the file of the graph', async () => {
    const [three, four] = [await saved('three', 3), await saved('four', 4)];
    const [blobs, cache] = [join(folder, 'blobs'), join(folder, 'hub')];
    mkdirSync(blobs);
    renameSync(three.model, join(blobs, 'graph'));
    const [first, second] = [three, four].map(({ data }, i) => {
      const revision = join(folder, `revision-${i}`);
      mkdirSync(revision);
      renameSync(data, join(blobs, `data-${i}`));
      symlinkSync(join(blobs, 'graph'), join(revision, 'model.onnx'));
      symlinkSync(join(blobs, `data-${i}`), join(revision, 'w.data'));
      return join(revision, 'model.onnx');
    }) as [string, string];
    for (const [path, warm, y] of [
      [first, false, 48],
      [first, true, 48],
      [second, false, 64],
      [second, true, 64],
    ] as const)
      expect(await productOf(path, { cache })).toEqual({ warm, y });
    expect((await productOf(first, { cache })).y).toBe(48);
  });
});

describe('a packed file of the caller', () => {
  it('is taken only for the model and the options that it was packed for', async () => {
    const packedFile = join(folder, 'mine', 'model.neweights');
    const [a, b] = [5, 6].map((weight) => join(folder, `${weight}.onnx`)) as [string, string];
    await writeProduct(a, 5);
    await writeProduct(b, 6);
    expect(await productOf(a, { packedFile })).toEqual({ warm: false, y: 80 });
    expect(await productOf(a, { packedFile })).toEqual({ warm: true, y: 80 });
    expect(await productOf(b, { packedFile })).toEqual({ warm: false, y: 96 });
    expect(await productOf(b, { packedFile, sparse: 'never' })).toEqual({ warm: false, y: 96 });
    expect(await productOf(b, { packedFile, sparse: 'never' })).toEqual({ warm: true, y: 96 });
    await writeProduct(b, 7);
    expect(await productOf(b, { packedFile, sparse: 'never' })).toEqual({ warm: false, y: 112 });
    // Nothing tells whether bytes are those that it was packed from.
    const bytes = readFileSync(a);
    for (let i = 0; i < 2; i++) expect((await load(bytes, { packedFile })).warm).toBe(false);
  });

  it('is an error by name where it is something else, or cannot be written', async () => {
    const packedFile = join(folder, 'notes.txt');
    writeFileSync(packedFile, 'x'.repeat(500), { mode: 0o600 });
    const { message } = await load(models[0]!, { packedFile }).catch((error) => error);
    expect(message).toContain(`"${packedFile}"`);
    expect(message).toContain('remove the file, or name another');
    expect(readFileSync(packedFile, 'utf8')).toBe('x'.repeat(500));
    await expect(load(models[0]!, { packedFile: '/proc/nowhere/x.neweights' })).rejects.toMatchObject({
      code: expect.stringMatching(/^E_(IO|CANTCREAT)$/),
      message: expect.stringContaining('"/proc/nowhere/x.neweights"'),
    });
  });
});

describe('a cache that fails', () => {
  const heard = (): { message: string; options: { code: string } }[] =>
    warnings.mock.calls.map(([message, options]) => ({ message: String(message), options: options as never }));
  const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  afterEach(() => warnings.mockClear());
  afterAll(() => warnings.mockRestore());

  it.each<[string, (file: string) => void, string]>([
    ['has a byte of its table changed', (file) => changeByte(file, (length) => length - 3), 'E_IR_MISMATCH'],
    ['may be written by others', (file) => chmodSync(file, 0o666), 'E_PATH'],
  ])('packs again what %s, and says so once', async (_, damage, code) => {
    const cache = mkdtempSync(join(folder, 'damaged-'));
    const [model] = models as [string];
    await load(model, { cache });
    const file = join(cache, packed(cache)[0]!);
    for (let i = 0; i < 2; i++) {
      damage(file);
      expect((await load(model, { cache })).warm).toBe(false);
      expect((await load(model, { cache })).warm).toBe(true);
    }
    expect(heard()).toEqual([{ message: expect.stringContaining(`"${file}"`), options: expect.objectContaining({ code }) }]);
    expect(heard()[0]!.message).toContain('packed again');
  });

  it('finds a changed weight where it is told to verify', async () => {
    const cache = mkdtempSync(join(folder, 'flipped-'));
    const path = join(folder, 'flipped.onnx');
    await writeProduct(path, 1);
    await load(path, { cache });
    changeByte(join(cache, packed(cache)[0]!), () => 64 + 3);
    expect((await productOf(path, { cache })).y).not.toBe(16);
    expect(await productOf(path, { cache, verify: true })).toEqual({ warm: false, y: 16 });
    expect(await productOf(path, { cache, verify: true })).toEqual({ warm: true, y: 16 });
  });

  it('is done without where it cannot be written, with a warning', async () => {
    const cache = '/proc/nowhere';
    const path = join(folder, 'unkept.onnx');
    await writeProduct(path, 2);
    for (let i = 0; i < 2; i++) expect(await productOf(path, { cache })).toEqual({ warm: false, y: 32 });
    expect((await load(path, { cache })).packedFile).toBeUndefined();
    expect(heard().map(({ message }) => message)).toEqual([expect.stringMatching(/"\/proc\/nowhere\/.*NE_CACHE_DIR/)]);
    // A folder where the file should be.
    const occupied = mkdtempSync(join(folder, 'occupied-'));
    await load(path, { cache: occupied });
    const file = join(occupied, packed(occupied)[0]!);
    rmSync(file);
    mkdirSync(join(file, 'full'), { recursive: true });
    expect(await productOf(path, { cache: occupied })).toEqual({ warm: false, y: 32 });
  });
});

it('refuses a sparse policy that does not exist before it reads the model', async () => {
  const path = join(folder, 'unread.onnx');
  writeFileSync(path, 'no model');
  await expect(load(path, { sparse: 'nevr' as never })).rejects.toMatchObject({ code: 'E_USAGE', where: 'sparse' });
  await expect(load(path, { sparseThreshold: 7 })).rejects.toMatchObject({ code: 'E_USAGE', where: 'sparseThreshold' });
});

it('keeps apart what different versions of the code pack', () => {
  const key = (by?: string): string => packedKey([models[0]!], {}, by);
  expect(key('compiler 1')).not.toBe(key('compiler 2'));
  expect(key()).toBe(key(madeBy()));
  for (const name of ['core', 'onnx', 'ir', 'compiler', 'sparsity', 'transpose', 'runtime', 'kernels', 'engine'])
    expect(madeBy()).toMatch(new RegExp(`\\b${name} \\d+\\.\\d+\\.\\d+`));
});

/** Changes one byte of a file, at what `place` makes of its length. */
function changeByte(file: string, place: (length: number) => number): void {
  const bytes = readFileSync(file);
  bytes[place(bytes.length)]! ^= 0x40;
  writeFileSync(file, bytes, { mode: 0o600 });
}
