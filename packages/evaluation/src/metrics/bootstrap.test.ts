import { describe, expect, it } from 'vitest';
import { pairedBootstrap } from './bootstrap';
import { pearsonCorrelation } from './classification';

describe('the paired bootstrap', () => {
  it('has the standard error of the mean difference', () => {
    // 300 of 1,000 answers change, half for the better: standard deviation √0.3 each, √(0.3 / 1000) of the mean.
    const baseline = Float64Array.from({ length: 1000 }, (_, i) => (i < 150 ? 1 : 0));
    const candidate = Float64Array.from({ length: 1000 }, (_, i) => (i >= 150 && i < 300 ? 1 : 0));
    const { difference, lower, upper, standardError } = pairedBootstrap(baseline, candidate, { resamples: 4000 });
    expect(difference).toBe(0);
    expect(standardError).toBeCloseTo(Math.sqrt(0.3 / 1000), 3);
    expect(lower).toBeCloseTo(-1.96 * Math.sqrt(0.3 / 1000), 2);
    expect(upper).toBeCloseTo(1.96 * Math.sqrt(0.3 / 1000), 2);
  });

  it('is certain where every example changes alike', () => {
    expect(pairedBootstrap([1, 1, 1], [0.5, 0.5, 0.5])).toEqual({ difference: -0.5, lower: -0.5, upper: -0.5, standardError: 0 });
  });

  it('is repeatable, and moves with the seed', () => {
    const baseline = [1, 0, 1, 1, 0, 0, 1];
    const candidate = [1, 1, 0, 1, 0, 1, 1];
    const once = pairedBootstrap(baseline, candidate, { resamples: 200 });
    expect(pairedBootstrap(baseline, candidate, { resamples: 200 })).toEqual(once);
    expect(pairedBootstrap(baseline, candidate, { resamples: 200, seed: 2 }).standardError).not.toBe(once.standardError);
  });

  it('widens with the confidence asked for', () => {
    const baseline = [1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1];
    const candidate = [1, 1, 0, 1, 0, 1, 1, 0, 0, 0, 1];
    const narrow = pairedBootstrap(baseline, candidate, { confidence: 0.5 });
    const wide = pairedBootstrap(baseline, candidate, { confidence: 0.99 });
    expect(wide.upper - wide.lower).toBeGreaterThan(narrow.upper - narrow.lower);
  });

  it('resamples another statistic than the mean', () => {
    const labels = Array.from({ length: 200 }, (_, i) => Math.sin(i));
    const pearson = (scores: ArrayLike<number>, examples: ArrayLike<number>): number =>
      pearsonCorrelation(
        Array.from(examples, (i) => scores[i]!),
        Array.from(examples, (i) => labels[i]!),
      );
    const noisy = labels.map((value, i) => value + 0.5 * Math.sin(i * 7.3));
    const { difference, lower, upper } = pairedBootstrap(labels, noisy, { statistic: pearson });
    expect(difference).toBeCloseTo(pearsonCorrelation(noisy, labels) - 1, 12);
    expect(lower).toBeLessThan(difference);
    expect(upper).toBeGreaterThan(difference);
    expect(upper).toBeLessThan(0);
  });

  it('refuses what cannot be paired', () => {
    expect(() => pairedBootstrap([1], [])).toThrow(expect.objectContaining({ code: 'E_DATASET' }));
    expect(() => pairedBootstrap([], [])).toThrow(expect.objectContaining({ code: 'E_DATASET' }));
    expect(() => pairedBootstrap([1], [1], { confidence: 1 })).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
    expect(() => pairedBootstrap([1], [1], { resamples: 1 })).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
  });
});
