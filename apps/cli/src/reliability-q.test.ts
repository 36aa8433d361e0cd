// The bad calibrations Q1 to Q10 through `ne quantize`: what it says, its exit code, and that nothing is written on failure.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeModel } from '@neural-engine/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inProcess } from './__fixtures__/in-process';
import { run } from './__fixtures__/run';
import { twoProducts, wave } from './__fixtures__/two-products';
import { writeNpz } from './npz';

const folder = mkdtempSync(join(tmpdir(), 'ne-q-'));
process.env['NE_CACHE_DIR'] = join(folder, 'cache');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const model = join(folder, 'model.onnx');
beforeAll(() => writeModel(twoProducts(), model));

let count = 0;
/** A folder with a sample for each array. */
function samples(...arrays: readonly Float32Array[]): string {
  const path = join(folder, `samples-${count++}`);
  mkdirSync(path);
  for (const [i, data] of arrays.entries())
    writeFileSync(join(path, `${1000 + i}.npz`), writeNpz([['x', { dtype: 'f32', dims: [1, data.length], data }]]));
  return path;
}
const good = Array.from({ length: 40 }, (_, i) => wave(16, i + 1));
const spoiled = (value: number) => good.map((data, i) => (i === 7 ? data.with(3, value) : data));

const quantize = (calibration: string, ...more: string[]) =>
  inProcess(['quantize', model, '-c', calibration, '-t', '1', '-o', join(folder, `out-${count}`), ...more]);
async function expectRefused(result: ReturnType<typeof quantize>, code: string, message: RegExp): Promise<void> {
  const before = readdirSync(folder).sort();
  const { code: exit, out, err } = await result;
  expect([exit, out]).toEqual([65, '']);
  expect(err).toContain(`error[${code}]`);
  expect(err).toMatch(message);
  expect(readdirSync(folder).sort()).toEqual(before.filter((name) => !/^\.?out-/.test(name)));
  expect(readdirSync(folder).filter((name) => /^\.?out-/.test(name))).toEqual([]);
}
const made = async (result: ReturnType<typeof quantize>): Promise<{ err: string; config: string }> => {
  const output = join(folder, `out-${count}`);
  const { code, err } = await result;
  expect(code, err).toBe(0);
  const config = readFileSync(join(output, 'conf.yaml'), 'utf8');
  rmSync(output, { recursive: true });
  return { err, config };
};

describe('values that are no numbers', () => {
  it('Q1: NaN is refused with the tensor and the count', () =>
    expectRefused(quantize(samples(...spoiled(Number.NaN))), 'E_QUANT', /"x" took 1 values that are NaN/));
  it('Q1: --ignore-nan uses the others and says how many', async () => {
    const { err } = await made(quantize(samples(...spoiled(Number.NaN)), '--ignore-nan'));
    expect(err).toMatch(/warning: x 1 values were NaN or infinite/);
  });
  it.each([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('Q2: %d is refused, and no scale becomes infinite', (value) =>
    expectRefused(quantize(samples(...spoiled(value))), 'E_QUANT', /"x" took 1 values/),
  );
});

describe('ranges that are no ranges', () => {
  it('Q3: a tensor of zeros or of one value is flagged, and keeps a scale', async () => {
    const zeros = await made(quantize(samples(...good.map(() => new Float32Array(16)))));
    expect(zeros.err).toMatch(/warning: x was always 0: scale 1/);
    expect(zeros.config).not.toMatch(/nan|inf\b/i);
    expect((await made(quantize(samples(...good.map(() => new Float32Array(16).fill(3)))))).err).toMatch(/warning: x was always 3/);
  });
  it('Q4: a first batch of zeros loses nothing of what follows', async () => {
    const zero = new Float32Array(16);
    const [first, last] = [await made(quantize(samples(zero, ...good))), await made(quantize(samples(...good, zero)))];
    expect(first.config).toBe(last.config);
  });
  it('Q5: a range too narrow is widened with a warning, one too wide refused', async () => {
    const tiny = await made(quantize(samples(...good.map((data) => data.map((value) => value * 1e-41)))));
    expect(tiny.err).toMatch(/warning: x .*too narrow/);
    await expectRefused(
      quantize(samples(...good.map((data) => data.map((value) => Math.sign(value) * 3e38))), '--method', 'minmax'),
      'E_QUANT',
      /./,
    );
  });
});

describe('samples', () => {
  it('Q6: none are refused, few are warned of', async () => {
    await expectRefused(quantize(samples()), 'E_DATASET', /no \.npz/);
    expect((await made(quantize(samples(...good.slice(0, 5))))).err).toMatch(/has only 5 samples/);
    expect((await made(quantize(samples(...good)))).err).not.toContain('samples: ranges');
  });
  it('Q7: one of another shape, or without an input, is named', async () => {
    await expectRefused(quantize(samples(good[0]!, wave(5, 1), good[1]!)), 'E_DATASET', /sample 1/);
    const path = samples(...good);
    writeFileSync(join(path, '1002.npz'), writeNpz([['z', { dtype: 'f32', dims: [1, 16], data: good[0]! }]]));
    await expectRefused(quantize(path), 'E_DATASET', /sample 2/);
    writeFileSync(join(path, '1002.npz'), 'no archive');
    await expectRefused(quantize(path), 'E_PARSE', /archive/);
  });
});

it('Q8: a channel of zeros and an outlier are reported, and the model is made', async () => {
  const weight = wave(512, 0.7);
  for (let k = 0; k < 16; k++) weight[k * 32] = 0;
  weight[1] = 1e30;
  const odd = join(folder, 'odd.onnx');
  await writeModel(twoProducts({ first: weight }), odd);
  const output = join(folder, 'odd-ir');
  const { code, err } = await inProcess(['quantize', odd, '-c', samples(...good), '-t', '1', '-o', output]);
  expect(code, err).toBe(0);
  expect(err).toMatch(/1 of 32 output channels that are all zero/);
  expect(err).toMatch(/has a channel up to 1\.\d*e\+30/);
});

it('Q9: what is quantised is not quantised again, as IR or as ONNX, and no sample is read for it', async () => {
  const ir = join(folder, 'once-ir');
  const qdq = join(folder, 'once.onnx');
  for (const output of [ir, qdq]) expect((await inProcess(['quantize', model, '-c', samples(...good), '-o', output])).code).toBe(0);
  for (const [once, twice] of [
    [ir, 'twice-ir'],
    [qdq, 'twice.onnx'],
    [qdq, 'twice-ir'],
  ] as const) {
    const { code, err } = await inProcess(['quantize', once, '-c', join(folder, 'absent'), '-o', join(folder, twice)]);
    expect([code, err.includes('E_QUANT')], err).toEqual([65, true]);
    expect(readdirSync(folder)).not.toContain(twice);
  }
});

it('Q10: a killed calibration leaves no output, and again gives the same bytes', async () => {
  const calibration = samples(...Array.from({ length: 300 }, (_, i) => wave(16, i + 1)));
  const args = (output: string) => ['quantize', model, '-c', calibration, '-t', '1', '-o', join(folder, output)];
  const { signal } = await run('ne', args('killed-ir'), { interrupt: { after: /calibrating: 10%/, with: 'SIGKILL' } });
  expect(signal).toBe('SIGKILL');
  expect(readdirSync(folder)).not.toContain('killed-ir');
  for (const output of ['killed-ir', 'steady-ir']) expect((await inProcess(args(output))).code).toBe(0);
  for (const name of ['conf.yaml', 'model.bin'])
    expect(readFileSync(join(folder, 'killed-ir', name))).toEqual(readFileSync(join(folder, 'steady-ir', name)));
  expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
});
