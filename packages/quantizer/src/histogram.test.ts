import { describe, expect, it } from 'vitest';
import { Histogram } from './histogram';
import { BINS, type Observer, plainObserver } from './observer';

/** Values of many sizes, the same for the same seed. */
function values(seed: number, count: number): Float32Array {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return Float32Array.from({ length: count }, () => (next() - 0.5) * 2 ** (next() * 20 - 10));
}

const stateOf = ({ min, max, exponent, total, nonFinite, counts }: Histogram) => ({
  min,
  max,
  exponent,
  total,
  nonFinite,
  counts: [...counts],
});

function histogramOf(...batches: readonly Float32Array[]): Histogram {
  const histogram = new Histogram();
  for (const batch of batches) histogram.add(batch);
  return histogram;
}

/** Whether counts are what counting all values at once in bins of that width gives: what a histogram that forgets fails. */
function isComplete(histogram: Histogram, all: Float32Array): boolean {
  const want = new Float64Array(BINS);
  plainObserver.count(all, histogram.exponent, want);
  return histogram.total === all.length && histogram.counts.every((count, bin) => count === want[bin]);
}

describe('Histogram', () => {
  const all = values(7, 4000);
  it('is the same however values are ordered and batched (Q10)', () => {
    const whole = stateOf(histogramOf(all));
    expect(stateOf(histogramOf(all.slice().reverse()))).toEqual(whole);
    expect(stateOf(histogramOf(...Array.from({ length: 40 }, (_, i) => all.subarray(i * 100, i * 100 + 100))))).toEqual(whole);
    const rising = all.slice().sort((a, b) => Math.abs(a) - Math.abs(b));
    expect(stateOf(histogramOf(...Array.from(rising, (value) => Float32Array.of(value))))).toEqual(whole);
  });
  it('keeps what it counted when the range grows (Q4)', () => {
    const histogram = histogramOf(new Float32Array(100), Float32Array.of(-1, 3), Float32Array.of(100));
    expect(isComplete(histogram, Float32Array.of(...new Float32Array(100), -1, 3, 100))).toBe(true);
    expect(histogram.range('x')).toEqual({ min: -1, max: 100 });
  });
  it('would be caught if it forgot: planted in its counting', () => {
    let batches = 0;
    // Loses every third batch, as a histogram does that starts anew when its range grows.
    const forgetful: Observer = { ...plainObserver, count: (...args) => void (batches++ % 3 === 2 || plainObserver.count(...args)) };
    const [good, bad] = [new Histogram(), new Histogram(forgetful)];
    for (let i = 0; i < 40; i++) for (const histogram of [good, bad]) histogram.add(all.subarray(i * 100, i * 100 + 100));
    expect(isComplete(good, all)).toBe(true);
    expect(isComplete(bad, all)).toBe(false);
  });
  it.each([
    ['tiny', [1e-42, -1e-42]],
    ['huge', [3.4e38, -3.4e38]],
    ['at an edge', [4096, -4096]],
    ['one-sided', [1e-3, 2e-3]],
  ])('holds values that are %s', (_, list) => {
    const x = Float32Array.from(list);
    const histogram = histogramOf(x);
    expect(isComplete(histogram, x)).toBe(true);
    expect(histogram.counts.reduce((sum, count) => sum + count, 0)).toBe(x.length);
    const { first, end } = histogram.span;
    expect(histogram.edge(first)).toBeLessThanOrEqual(histogram.min);
    expect(histogram.edge(end)).toBeGreaterThan(histogram.max);
  });
  it('uses half of its bins or more for the larger side', () => {
    for (const size of [1e-6, 0.3, 1, 1000.5]) {
      const histogram = histogramOf(Float32Array.of(size));
      expect(histogram.span.end - BINS / 2).toBeGreaterThan(BINS / 4);
    }
  });
  it('refuses NaN and infinity with their number (Q1, Q2)', () => {
    const histogram = histogramOf(Float32Array.of(1, Number.NaN, Number.POSITIVE_INFINITY));
    expect(() => histogram.range('layer.0')).toThrow(
      expect.objectContaining({ code: 'E_QUANT', message: expect.stringMatching(/layer\.0.*2 values/) }),
    );
    expect(histogram.range('layer.0', { ignoreNonFinite: true })).toEqual({ min: 1, max: 1 });
  });
});
