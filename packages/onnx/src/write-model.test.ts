import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
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
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeModel, makeNode, makeTensor, makeValueInfo } from './build';
import { decodeModel } from './decode-model';
import { encodeModel } from './encode/model';
import { readModel } from './read-model';
import { asyncRefusal, refusal } from './testing/errors';
import { withoutWarnings } from './testing/models';
import { reluModel, wire } from './testing/wire';
import type { OnnxModel } from './types';
import { writeModel } from './write-model';

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return { ...real, open: vi.fn(real.open) };
});

/** X·W + b with `size`² weights, all of the value `fill`. */
function modelOf(fill: number, size = 32): OnnxModel {
  return makeModel({
    nodes: [makeNode('MatMul', ['X', 'W'], ['T']), makeNode('Add', ['T', 'b'], ['Y'])],
    inputs: [makeValueInfo('X', 'f32', ['n', size])],
    outputs: [makeValueInfo('Y', 'f32', ['n', size])],
    initializers: [
      makeTensor('W', 'f32', [size, size], new Float32Array(size * size).fill(fill)),
      makeTensor('b', 'f32', [size], new Float32Array(size).fill(fill)),
    ],
  });
}

/** Each costs the start of a process. */
const KILLS = Number(process.env['NE_KILLS'] ?? 4);

const source = JSON.stringify(new URL('./index.ts', import.meta.url).pathname);
const node = ['--import', 'tsx', '--conditions=source', '--input-type=module', '-e'];

describe('writing a model', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'onnx-write-'));
    path = join(folder, 'model.onnx');
  });
  afterEach(() => {
    vi.mocked(open).mockReset();
    rmSync(folder, { recursive: true, force: true });
  });

  const files = () => readdirSync(folder).sort();

  it('writes what reads back equal, and the same bytes each time', async () => {
    const model = modelOf(1);
    const written = await writeModel(model, path);
    expect(written).toEqual({ path, bytes: statSync(path).size });
    expect(readFileSync(path)).toEqual(Buffer.from(encodeModel(model)));
    expect(withoutWarnings(await readModel(path))).toEqual(withoutWarnings(model));
    expect(files()).toEqual(['model.onnx']);
  });

  it('puts large initializers into a file named after their content', async () => {
    const model = modelOf(2);
    const { data } = await writeModel(model, path, { externalData: {} });
    expect(files()).toEqual(['model.onnx', expect.stringMatching(/^model\.onnx-[0-9a-f]{16}\.data$/)]);
    expect(data).toEqual({ path: join(folder, files()[1]!), bytes: 4096 });
    const read = await readModel(path);
    expect(read.graph.initializers.get('W')?.external).toMatchObject({ location: files()[1], offset: 0, length: 4096 });
    expect(read.graph.initializers.get('b')?.external).toBeUndefined();
    expect(read.externalFiles).toEqual([files()[1]]);
    expect(withoutWarnings(read)).toEqual(withoutWarnings(model));
  });

  it('begins each external tensor at a page, and moves out what the threshold says', async () => {
    await writeModel(modelOf(3, 40), path, { externalData: { location: 'weights.bin', thresholdBytes: 0 } });
    const { initializers } = (await readModel(path)).graph;
    expect(initializers.get('W')?.external).toEqual({ location: 'weights.bin', offset: 0, length: 6400 });
    expect(initializers.get('b')?.external).toEqual({ location: 'weights.bin', offset: 8192, length: 160 });
    expect(initializers.get('b')?.data()).toEqual(new Float32Array(40).fill(3));
  });

  it('refuses to replace files unless forced, and leaves them as they are', async () => {
    writeFileSync(path, 'old');
    expect((await asyncRefusal('E_CANTCREAT', writeModel(modelOf(1), path))).message).toContain('exists already');
    expect(readFileSync(path, 'utf8')).toBe('old');
    writeFileSync(join(folder, 'w.bin'), 'old');
    await asyncRefusal('E_CANTCREAT', writeModel(modelOf(1), join(folder, 'new.onnx'), { externalData: { location: 'w.bin' } }));
    expect(files()).toEqual(['model.onnx', 'w.bin']);
    await writeModel(modelOf(1), path, { externalData: { location: 'w.bin' }, force: true });
    expect((await readModel(path)).graph.initializers.get('W')?.data()[0]).toBe(1);
    expect(files()).toEqual(['model.onnx', 'w.bin']);
  });

  it('replaces a link, not the file behind it', async () => {
    writeFileSync(join(folder, 'precious'), 'precious');
    symlinkSync('precious', path);
    await asyncRefusal('E_CANTCREAT', writeModel(modelOf(1), path));
    await writeModel(modelOf(1), path, { force: true });
    expect(readFileSync(join(folder, 'precious'), 'utf8')).toBe('precious');
  });

  it('removes the data of the model that it replaced, and nothing else', async () => {
    writeFileSync(join(folder, 'model.onnx-notes.data'), 'mine');
    writeFileSync(join(folder, 'model.onnx-0123456789abcdef.data'), 'mine');
    await writeModel(modelOf(1), path, { externalData: {} });
    await writeModel(modelOf(2), path, { externalData: {}, force: true });
    expect(files()).toHaveLength(4);
    expect((await readModel(path)).graph.initializers.get('W')?.data()[0]).toBe(2);
  });

  it.each(['model', 'model.ONNX', 'copy.onnx'])('leaves the data of %s beside it', async (other) => {
    // The same content, and a model that was renamed after it was saved.
    await writeModel(modelOf(1), path, { externalData: {} });
    if (other === 'copy.onnx') renameSync(path, join(folder, other));
    else await writeModel(modelOf(1), join(folder, other), { externalData: {} });
    await writeModel(modelOf(2), path, { externalData: {}, force: true });
    await writeModel(modelOf(3), path, { externalData: {}, force: true });
    expect((await readModel(join(folder, other))).graph.initializers.get('W')?.data()[0]).toBe(1);
    expect((await readModel(path)).graph.initializers.get('W')?.data()[0]).toBe(3);
    expect(files()).toHaveLength(4);
  });

  it('leaves data that a link in its place led to', async () => {
    await writeModel(modelOf(1), path, { externalData: {} });
    renameSync(path, join(folder, 'precious.onnx'));
    symlinkSync('precious.onnx', path);
    await writeModel(modelOf(2), path, { externalData: {}, force: true });
    expect((await readModel(join(folder, 'precious.onnx'))).graph.initializers.get('W')?.data()[0]).toBe(1);
  });

  it('can rewrite a model from its own external data', async () => {
    await writeModel(modelOf(4), path, { externalData: { location: 'w.bin' } });
    await writeModel(await readModel(path), path, { externalData: { location: 'w.bin' }, force: true });
    expect((await readModel(path)).graph.initializers.get('W')?.data()[9]).toBe(4);
    await writeModel(await readModel(path), join(folder, 'inline.onnx'));
    expect((await readModel(join(folder, 'inline.onnx'))).graph.initializers.get('W')?.external).toBeUndefined();
  });

  it('X16 never writes where a model that was read says its data are', async () => {
    mkdirSync(join(folder, 'in', 'sub'), { recursive: true });
    writeFileSync(join(folder, 'in', 'sub', 'evil.bin'), new Uint8Array(2000).fill(7));
    writeFileSync(join(folder, 'in', 'm.onnx'), reluModel(wire.initializer('W', 2, [2000], wire.external({ location: 'sub/evil.bin' }))));
    const model = await readModel(join(folder, 'in', 'm.onnx'));
    mkdirSync(join(folder, 'out'));
    await writeModel(model, join(folder, 'out', 'm.onnx'), { externalData: {} });
    expect(readdirSync(join(folder, 'out')).sort()).toEqual(['m.onnx', expect.stringMatching(/^m\.onnx-[0-9a-f]{16}\.data$/)]);
    const forged = modelOf(1);
    const weight = forged.graph.initializers.get('W')!;
    forged.graph.initializers.set('W', {
      ...weight,
      bytes: () => weight.bytes(),
      data: () => weight.data(),
      external: { location: '../../escaped', offset: 0, length: weight.byteLength },
    });
    await writeModel(forged, join(folder, 'out', 'forged.onnx'), { externalData: {} });
    expect(readdirSync(folder).sort()).toEqual(['in', 'out']);
    expect((await readModel(join(folder, 'out', 'forged.onnx'))).graph.initializers.get('W')?.external?.location).toMatch(/^forged\.onnx-/);
  });

  it.each(['../x', 'a/b', 'a\\b', '.', '..', '', 'C:x', 'a\0b', 'model.onnx'])(
    'X16 refuses %j as the name of the data file',
    async (location) => {
      await asyncRefusal('E_USAGE', writeModel(modelOf(1), path, { externalData: { location } }));
      expect(files()).toEqual([]);
    },
  );

  it('writes nothing where the model is not valid', async () => {
    const broken = modelOf(1);
    broken.graph.nodes.reverse();
    await asyncRefusal('E_MODEL', writeModel(broken, path));
    expect(files()).toEqual([]);
  });

  it('refuses paths that cannot be created', async () => {
    await asyncRefusal('E_CANTCREAT', writeModel(modelOf(1), join(folder, 'missing', 'm.onnx')));
    await asyncRefusal('E_CANTCREAT', writeModel(modelOf(1), join(folder, `${'x'.repeat(300)}.onnx`)));
    mkdirSync(join(folder, 'taken'));
    await asyncRefusal('E_CANTCREAT', writeModel(modelOf(1), join(folder, 'taken'), { force: true }));
    expect(files()).toEqual(['taken']);
    if (process.getuid?.() !== 0) {
      chmodSync(folder, 0o500);
      await asyncRefusal('E_CANTCREAT', writeModel(modelOf(1), path));
    }
  });

  it('refuses a model that passes 2 GiB before it reads a byte of it', () => {
    const model = modelOf(1);
    const weight = model.graph.initializers.get('W')!;
    model.graph.initializers.set('W', {
      ...weight,
      byteLength: 3 * 2 ** 30,
      bytes: () => {
        throw new Error('read');
      },
      data: () => weight.data(),
    });
    expect(refusal('E_LIMIT', () => encodeModel(model)).message).toContain('externalData');
  });

  it.each(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS'])(
    'F2, F3: fails with a typed error and leaves nothing when a system call ends in %s, whichever it is',
    async (errno) => {
      writeFileSync(path, 'old');
      const failure = () => Object.assign(new Error(errno), { code: errno });
      const code = errno.startsWith('E_') || errno === 'EIO' ? 'E_IO' : errno === 'EROFS' ? 'E_CANTCREAT' : 'E_SPACE';
      const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises');
      for (let victim = 0; ; victim++) {
        let calls = 0;
        const step = <T>(run: () => Promise<T>): Promise<T> => (calls++ === victim ? Promise.reject(failure()) : run());
        vi.mocked(open).mockImplementation((...args) =>
          step(async () => {
            const handle = await real.open(...args);
            const { write, sync } = handle;
            return Object.assign(handle, {
              write: (...rest: Parameters<typeof write>) => step(() => write.apply(handle, rest)),
              sync: () => step(() => sync.call(handle)),
            });
          }),
        );
        const options = { externalData: { location: 'w.bin' }, force: true };
        const outcome = await writeModel(modelOf(5), path, options).then(
          () => undefined,
          (error: { code: string }) => error.code,
        );
        if (calls <= victim) {
          expect(outcome).toBeUndefined();
          expect(victim).toBeGreaterThan(8);
          break;
        }
        expect(outcome).toBe(code);
        expect(files().filter((name) => name.endsWith('.tmp'))).toEqual([]);
        if (readFileSync(path, 'utf8') === 'old') expect(files()).toEqual(['model.onnx']);
        // Only making the last name durable failed: an error, but what has its name must be whole.
        else expect((await readModel(path)).graph.initializers.get('W')?.data()[0]).toBe(5);
        rmSync(join(folder, 'w.bin'), { force: true });
        writeFileSync(path, 'old');
      }
    },
  );

  it.runIf(process.platform === 'linux')('F1: reports a full disk as E_SPACE and removes what it wrote', () => {
    writeFileSync(path, 'old');
    const script = `
      const { writeModel, makeModel, makeNode, makeTensor, makeValueInfo } = await import(${source});
      const weight = makeTensor('W', 'u8', [4e6], new Uint8Array(4e6));
      const model = makeModel({ nodes: [makeNode('Add', ['X', 'W'], ['Y'])], inputs: [makeValueInfo('X', 'u8')], outputs: [makeValueInfo('Y', 'u8')], initializers: [weight] });
      process.on('SIGXFSZ', () => {});
      await writeModel(model, ${JSON.stringify(path)}, { force: true }).catch((error) => console.log(error.code));`;
    // A limit on the size of files stands for the full disk: both refuse a write in the middle of the file.
    const { stdout, stderr } = spawnSync('bash', ['-c', `ulimit -f 1024; exec "$0" "$@"`, process.execPath, ...node, script], {
      encoding: 'utf8',
      env: { ...process.env, TSX_DISABLE_CACHE: '1' },
    });
    expect(`${stdout}${stderr}`.trim()).toBe('E_SPACE');
    expect(files()).toEqual(['model.onnx']);
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it('F4: leaves the old model or the new one, whole, when it is killed at any moment', async () => {
    await writeModel(modelOf(0, 300), path, { externalData: {} });
    const script = (first: number) => `
      const { readModel, writeModel, makeTensor } = await import(${source});
      const model = await readModel(${JSON.stringify(path)});
      for (let fill = ${first}; ; fill++) {
        model.graph.initializers.set('W', makeTensor('W', 'f32', [300, 300], new Float32Array(90000).fill(fill)));
        model.graph.initializers.set('b', makeTensor('b', 'f32', [300], new Float32Array(300).fill(fill)));
        await writeModel(model, ${JSON.stringify(path)}, { externalData: { thresholdBytes: 1e4 }, force: true });
        console.log('saved');
      }`;
    for (let round = 1; round <= KILLS; round++) {
      const writer = spawn(process.execPath, [...node, script(1000 * round)], { stdio: ['ignore', 'pipe', 'inherit'] });
      await new Promise((resolve) => writer.stdout.once('data', resolve));
      await new Promise((resolve) => setTimeout(resolve, (17 * round) % 60));
      const exited = new Promise((resolve) => writer.once('exit', resolve));
      writer.kill('SIGKILL');
      await exited;
      const { initializers } = (await readModel(path)).graph;
      const [fill] = initializers.get('b')!.data();
      expect(new Set(initializers.get('W')!.data() as Float32Array)).toEqual(new Set([fill]));
      expect(fill).toBeGreaterThanOrEqual(1000 * round);
    }
  });

  it('F7: removes what killed writers of this model left, and nothing of others', async () => {
    const leave = (name: string): string => {
      writeFileSync(join(folder, name), 'x');
      return name;
    };
    leave('.model.onnx.4194305-0123456789ab.tmp');
    const kept = [leave('.other.onnx.4194305-0123456789ab.tmp'), leave('.model.onnx.notes.tmp')];
    await writeModel(modelOf(1), path);
    expect(files()).toEqual([...kept, 'model.onnx'].sort());
  });

  it('C7: refuses to write where another save is going on, to the model or to its data', async () => {
    const under = { externalData: { location: 'w.bin' }, force: true };
    const outcomes = await Promise.allSettled([
      writeModel(modelOf(1, 300), path, under),
      writeModel(modelOf(2, 300), path, under),
      writeModel(modelOf(3, 300), join(folder, 'second.onnx'), under),
    ]);
    expect(outcomes.map((one) => (one.status === 'fulfilled' ? 'saved' : one.reason.code))).toEqual(['saved', 'E_LOCKED', 'E_LOCKED']);
    expect((await readModel(path)).graph.initializers.get('W')?.data()[0]).toBe(1);
    expect(files()).toEqual(['model.onnx', 'w.bin']);
  });

  it.runIf(hasStrace())(
    'F6: makes data durable before names: fsync, rename, fsync of the folder, for the data and then for the model',
    () => {
      const script = `
      const { writeModel, decodeModel } = await import(${source});
      const { readFileSync } = await import('node:fs');
      await writeModel(decodeModel(new Uint8Array(readFileSync(${JSON.stringify(join(folder, 'in.onnx'))}))), ${JSON.stringify(path)}, { externalData: {}, force: true });`;
      writeFileSync(join(folder, 'in.onnx'), encodeModel(modelOf(1)));
      const trace = join(folder, 'trace');
      execFileSync('strace', [
        '-f',
        '-y',
        '-qq',
        '-e',
        'trace=fsync,rename,renameat,renameat2',
        '-o',
        trace,
        process.execPath,
        ...node,
        script,
      ]);
      const calls = readFileSync(trace, 'utf8')
        .split('\n')
        .filter((line) => line.includes(folder))
        .map((line) => (line.includes('rename') ? 'rename' : line.includes('.tmp') ? 'fsync file' : 'fsync folder'));
      expect(calls).toEqual(['fsync file', 'fsync file', 'rename', 'fsync folder', 'rename', 'fsync folder']);
    },
  );

  it('survives a save and a load of names that only a file could hold', async () => {
    const model = decodeModel(reluModel(wire.node('Relu', ['X'], ['__proto__'], wire.attribute('constructor', 3))));
    await writeModel(model, path);
    expect(withoutWarnings(await readModel(path))).toEqual(withoutWarnings(model));
  });
});

function hasStrace(): boolean {
  const found = spawnSync('strace', ['-V']).status === 0;
  if (!found) console.warn('skipped: the order of system calls is not tested, because strace is not installed');
  return found;
}
