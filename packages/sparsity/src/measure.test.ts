import { describe, expect, it } from 'vitest';
import { BLOCKS, decideSparse, zeroBlockRatio } from './index';

/** [out 8, in 2]: the first four outputs use input 0 only, the last four nothing. */
const rows = Float32Array.from([1, 0, 0, 0, 2, 0, 3, 0, ...new Array(8).fill(0)]);
const transpose = (data: Float32Array, out: number, inputs: number): Float32Array =>
  data.map((_, i) => data[(i % out) * inputs + Math.floor(i / out)]!);

describe('zeroBlockRatio', () => {
  it.each([
    ['1x1', 13 / 16],
    ['4x1', 3 / 4],
    ['1x4', 5 / 8],
    ['16x1', 1 / 2],
    ['4x16', 1 / 2],
  ] as const)('counts %s blocks in both storage orders', (name, expected) => {
    expect(zeroBlockRatio({ data: rows, out: 8, in: 2, transposed: true }, BLOCKS[name])).toBe(expected);
    expect(zeroBlockRatio({ data: transpose(rows, 8, 2), out: 8, in: 2, transposed: false }, BLOCKS[name])).toBe(expected);
  });
  it('names the sizes when the data does not fit', () => {
    expect(() => zeroBlockRatio({ data: rows, out: 3, in: 2, transposed: true }, BLOCKS['4x1'])).toThrow('3 × 2 needs 6 elements, got 16');
  });
});

describe('decideSparse', () => {
  it('refuses a policy that does not exist and a threshold that is no share, naming them', () => {
    const weight = { data: new Int8Array(8), out: 4, in: 2, transposed: true };
    for (const [options, message] of [
      [{ policy: 'nevr' as never }, 'sparse: expected "auto", "threshold", "always", "never", got "nevr"'],
      [{ policy: 'threshold' as const, threshold: Number.NaN }, 'sparseThreshold: expected a number from 0 to 1, got NaN'],
      [{ threshold: 70 }, 'sparseThreshold: expected a number from 0 to 1, got 70'],
    ] as const)
      expect(() => decideSparse(weight, options)).toThrow(expect.objectContaining({ code: 'E_USAGE', message }));
  });
  const weight = { data: rows, out: 8, in: 2, transposed: true };
  it('decides at the threshold and says why', () => {
    expect(decideSparse(weight, { policy: 'threshold', threshold: 0.75 })).toEqual({
      sparse: true,
      zeroRatio: 0.75,
      reason: '75.0% of its 4x1 blocks are zero, at least 75.0%',
    });
    expect(decideSparse(weight, { policy: 'threshold', threshold: 0.76 }).sparse).toBe(false);
  });
  it('refuses output channels that do not come in fours', () => {
    const odd = decideSparse({ data: new Int8Array(6), out: 3, in: 2, transposed: true }, { policy: 'always' });
    expect(odd).toMatchObject({ sparse: false, reason: '3 output channels are no multiple of 4' });
  });
});
