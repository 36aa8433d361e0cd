import { describe, expect, it } from 'vitest';
import { difference } from './compare';
import type { Tensor } from './engine';

const f32 = (...values: number[]): Tensor => ({ dtype: 'f32', dims: [values.length], data: Float32Array.from(values) });
const compare = (got: Tensor, want: Tensor): string | undefined => difference(got, want, ({ data }) => data);

describe('difference', () => {
  it('accepts what lies within the tolerances', () => {
    expect(
      compare(f32(1, Number.NaN, Number.POSITIVE_INFINITY, 0), f32(1.0009, Number.NaN, Number.POSITIVE_INFINITY, 1e-8)),
    ).toBeUndefined();
  });
  it.each([
    [f32(1), f32(1.002), 'element 0 is 1'],
    [f32(0), f32(2e-7), 'element 0'],
    [f32(Number.NaN), f32(0), 'element 0 is NaN'],
    [f32(0), f32(Number.NaN), 'expected NaN'],
    [f32(Number.NEGATIVE_INFINITY), f32(Number.POSITIVE_INFINITY), 'expected Infinity'],
    [f32(3e38), f32(Number.POSITIVE_INFINITY), 'expected Infinity'],
    [f32(1, 2), f32(1), 'dims [2], expected [1]'],
    [{ ...f32(1), dtype: 'u32' } as Tensor, f32(1), 'dtype u32, expected f32'],
  ])('tells how %o and %o differ', (got, want, text) => {
    expect(compare(got, want)).toContain(text);
  });
  it('takes integers exactly', () => {
    const s64 = (value: bigint): Tensor => ({ dtype: 's64', dims: [], data: BigInt64Array.of(value) });
    expect(compare(s64(2n ** 62n), s64(2n ** 62n))).toBeUndefined();
    expect(compare(s64(2n ** 62n + 1n), s64(2n ** 62n))).toContain('element 0');
  });
});
