import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeModel } from '@neural-engine/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../__fixtures__/run';
import { twoProducts, wave } from '../__fixtures__/two-products';
import { writeNpz } from '../npz';
import { dryRun, quantizeToIr } from './quantize';

const folder = mkdtempSync(join(tmpdir(), 'ne-quantize-'));
process.env['NE_CACHE_DIR'] = join(folder, 'cache');
afterAll(() => rmSync(folder, { recursive: true }));

const model = join(folder, 'model.onnx');
const samples = join(folder, 'samples');

beforeAll(async () => {
  await writeModel(twoProducts(), model);
  mkdirSync(samples);
  for (let i = 0; i < 200; i++)
    writeFileSync(join(samples, `${1000 + i}.npz`), writeNpz([['x', { dtype: 'f32', dims: [1, 16], data: wave(16, i + 1) }]]));
});

const bytesOf = (path: string): Buffer[] =>
  readdirSync(path)
    .sort()
    .map((name) => readFileSync(join(path, name)));
const flags = (output: string) => ({ output: join(folder, output), calibration: samples, threads: '1' });

describe('ne quantize', () => {
  it('writes the same bytes again, and from the recipe of a dry run', async () => {
    await quantizeToIr(model, flags('a'));
    await quantizeToIr(model, flags('b'));
    const recipe = join(folder, 'recipe.json');
    writeFileSync(recipe, await dryRun(model, {}));
    expect(JSON.parse(readFileSync(recipe, 'utf8'))).toMatchObject({ recipe: 1, method: 'mse', layers: { relu: 'int8', second: 'int8' } });
    await quantizeToIr(model, { ...flags('c'), recipe });
    expect(bytesOf(join(folder, 'b'))).toEqual(bytesOf(join(folder, 'a')));
    expect(bytesOf(join(folder, 'c'))).toEqual(bytesOf(join(folder, 'a')));
  });
  it.each([
    ['bf16', { relu: 'bf16', second: 'bf16' }],
    ['dynamic-int8', { relu: 'int8', second: 'int8' }],
  ])('says in a dry run what layers of a %s model become, and does it', async (precision, layers) => {
    const recipe = join(folder, `${precision}.json`);
    writeFileSync(recipe, await dryRun(model, { precision }));
    expect(JSON.parse(readFileSync(recipe, 'utf8'))).toMatchObject({ layers });
    await quantizeToIr(model, { output: join(folder, `${precision}-plain`), precision });
    await quantizeToIr(model, { output: join(folder, `${precision}-recipe`), precision, recipe });
    expect(bytesOf(join(folder, `${precision}-recipe`))).toEqual(bytesOf(join(folder, `${precision}-plain`)));
  });
  it('rounds what lies between products where that is asked for, and says so in recipes', async () => {
    const recipe = join(folder, 'between.json');
    writeFileSync(recipe, await dryRun(model, { between: 'bf16' }));
    expect(JSON.parse(readFileSync(recipe, 'utf8'))).toMatchObject({ between: 'bf16' });
    await quantizeToIr(model, { ...flags('between'), between: 'bf16' });
    await quantizeToIr(model, { ...flags('between-recipe'), recipe });
    await quantizeToIr(model, { ...flags('between-not'), recipe, between: 'fp32' });
    expect(bytesOf(join(folder, 'between-recipe'))).toEqual(bytesOf(join(folder, 'between')));
    expect(bytesOf(join(folder, 'between-not'))).toEqual(bytesOf(join(folder, 'a')));
    await expect(quantizeToIr(model, { ...flags('between-bad'), between: 'f16' })).rejects.toMatchObject({
      code: 'E_USAGE',
      message: '--between f16: expected one of fp32, bf16',
    });
    const nothing = quantizeToIr(model, { output: join(folder, 'between-fp32'), precision: 'fp32', between: 'bf16' });
    await expect(nothing).rejects.toMatchObject({ code: 'E_USAGE', message: expect.stringContaining('--between') });
    expect(readdirSync(folder).filter((name) => name.startsWith('between-bad') || name.startsWith('between-fp32'))).toEqual([]);
  });
  it('Q10: a killed calibration leaves nothing behind, and the next run gives the same bytes', async () => {
    const output = join(folder, 'killed');
    const args = ['quantize', model, '-o', output, '-c', samples, '-t', '1'];
    const { signal } = await run('ne', args, { interrupt: { after: /calibrating/, with: 'SIGKILL' } });
    expect(signal).toBe('SIGKILL');
    expect(readdirSync(folder).filter((name) => name.startsWith('killed'))).toEqual([]);
    await quantizeToIr(model, flags('killed'));
    expect(bytesOf(output)).toEqual(bytesOf(join(folder, 'a')));
  });
  it.each([
    ['Q6: no samples', 'empty', [], 'E_DATASET', 'no .npz'],
    ['Q7: a sample of another shape', 'shape', [['x', [1, 5]]], 'E_DATASET', 'sample 0'],
    ['Q7: a sample without an input', 'missing', [['z', [1, 16]]], 'E_DATASET', 'sample 0'],
  ] as const)('%s: nothing is written', async (_, name, tensors, code, text) => {
    const path = join(folder, `bad-${name}`);
    mkdirSync(path);
    for (const [input, dims] of tensors)
      writeFileSync(join(path, '0.npz'), writeNpz([[input, { dtype: 'f32', dims: [...dims], data: wave(dims[0] * dims[1], 1) }]]));
    const output = join(folder, `out-${name}`);
    await expect(quantizeToIr(model, { output, calibration: path })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(text),
    });
    expect(existsSync(output)).toBe(false);
  });
  it('refuses a model that is quantised already before it reads a sample (Q9)', async () => {
    const again = quantizeToIr(join(folder, 'a'), { ...flags('twice'), calibration: join(folder, 'bad-empty') });
    await expect(again).rejects.toMatchObject({ code: 'E_QUANT', message: expect.stringContaining('already') });
    expect(existsSync(join(folder, 'twice'))).toBe(false);
  });
  it('names flags that mean nothing', async () => {
    for (const bad of [{ method: 'best' }, { percentile: '3' }, { onError: 'maybe' }, { precision: 'int4' }])
      await expect(quantizeToIr(model, { ...flags('never'), ...bad })).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(quantizeToIr(model, { ...flags('never'), recipe: join(folder, 'absent.json') })).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
    });
  });
});
