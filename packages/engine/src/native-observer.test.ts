import { HISTOGRAM_BINS } from '@neural-engine/kernels';
import { BINS, Histogram, plainObserver } from '@neural-engine/quantizer';
import { describe, expect, it } from 'vitest';
import { nativeObserver } from './quantize';

const values = Float32Array.from({ length: 10_007 }, (_, i) => Math.sin(i * 1.7) * 2 ** ((i % 37) - 18));

describe('native counting', () => {
  it('uses as many bins as the quantizer', () => expect(HISTOGRAM_BINS).toBe(BINS));
  it.each([0, 1, 15, 16, 17, 33, 10_007])('agrees with plain loops, count by count, on %i values', (count) => {
    const part = values.subarray(0, count);
    expect(nativeObserver.extent(part)).toEqual(plainObserver.extent(part));
    for (const exponent of [-126, -12, 0, 7, 126]) {
      const [native, plain] = [new Float64Array(BINS), new Float64Array(BINS)];
      nativeObserver.count(part, exponent, native);
      plainObserver.count(part, exponent, plain);
      expect(native).toEqual(plain);
    }
  });
  it('agrees where values are not finite', () => {
    const odd = Float32Array.of(1, Number.NaN, -2, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-45, -0);
    const [native, plain] = [new Histogram(nativeObserver), new Histogram()];
    for (const histogram of [native, plain]) histogram.add(odd);
    expect({ ...native, observer: null }).toEqual({ ...plain, observer: null });
    expect(native).toMatchObject({ nonFinite: 3, total: 4, min: -2, max: 1 });
  });
  it('refuses what it cannot count into', () => {
    expect(() => nativeObserver.count(values, 0, new Float64Array(5))).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
    expect(() => nativeObserver.count(values, 300, new Float64Array(BINS))).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
    expect(() => nativeObserver.extent([1] as unknown as Float32Array)).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
    const shared = new Float64Array(BINS);
    expect(() => nativeObserver.count(new Float32Array(shared.buffer), 0, shared)).toThrow(/shares memory/);
  });
});
