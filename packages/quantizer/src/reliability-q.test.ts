// The bad inputs Q1 to Q10: each gets its typed error, or the stated result.
import type { Tensor } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { exact, f32, feeds, sample } from './__fixtures__/sample';
import { type CalibrationOptions, calibrate, chooseRanges, Histogram, quantizeGraph, quantizeWeight, weightWarnings } from './index';

const run = (samples: CalibrationOptions['samples'], options: Partial<CalibrationOptions> = {}) =>
  calibrate(sample(), { samples, run: exact, ...options });

function withValue(value: number): Record<string, Tensor> {
  const odd = feeds(1);
  (odd['x']!.data as Float32Array)[5] = value;
  return odd;
}

const seen = (...values: number[]) => {
  const histogram = new Histogram();
  histogram.add(Float32Array.from(values));
  return chooseRanges(new Map([['x', histogram]]), {});
};

describe('Q: calibration and quantisation', () => {
  it.each([
    ['Q1: NaN', Number.NaN],
    ['Q2: infinity', Number.POSITIVE_INFINITY],
  ])('%s is refused with the tensor and the count', async (_, value) => {
    await expect(run([feeds(0), withValue(value)])).rejects.toMatchObject({
      code: 'E_QUANT',
      message: expect.stringMatching(/"x" took 1 values/),
    });
  });
  it('Q1: finite values alone are used on demand, and the others counted', async () => {
    const { ranges, warnings } = await run([feeds(0), withValue(Number.NaN)], { ignoreNonFinite: true });
    expect(warnings).toContainEqual({ where: 'x', message: expect.stringMatching(/^1 values were NaN or infinite.*other 95/) });
    expect(ranges.get('x')!.max).toBeLessThan(1.1);
  });
  it('Q3: a tensor of zeros gets scale 1 and zero point 0, a constant keeps its value, and both are flagged', () => {
    expect(seen(0, 0)).toEqual({
      ranges: new Map([['x', { min: 0, max: 255 }]]),
      warnings: [{ where: 'x', message: 'was always 0: scale 1' }],
    });
    expect(seen(3, 3)).toEqual({ ranges: new Map([['x', { min: 0, max: 3 }]]), warnings: [{ where: 'x', message: 'was always 3' }] });
  });
  it('Q4: a first batch of zeros loses nothing of what follows', async () => {
    const zero = { x: f32([1, 3, 16], new Float32Array(48)) };
    const [late, early] = await Promise.all([run([zero, feeds(0), feeds(1)]), run([feeds(1), feeds(0), zero])]);
    expect(late.ranges).toEqual(early.ranges);
    expect(late.histograms.get('x')!.total).toBe(144);
    expect(late.histograms.get('x')!.counts).toEqual(early.histograms.get('x')!.counts);
  });
  it('Q5: a range too narrow for f32 is widened with a warning, one too wide refused', () => {
    const { ranges, warnings } = seen(0, 1e-40);
    expect(ranges.get('x')!.max / 255).toBeGreaterThanOrEqual(2 ** -126);
    expect(warnings[0]!.message).toContain('too narrow');
    expect(() => seen(-3e38, 3e38)).toThrow(expect.objectContaining({ code: 'E_QUANT', message: expect.stringContaining('too wide') }));
  });
  it('Q6: no samples', async () => {
    await expect(run([])).rejects.toMatchObject({ code: 'E_DATASET' });
  });
  it.each([
    ['lacks an input', {}],
    ['has another shape', { x: f32([1, 3, 5], new Float32Array(15)) }],
  ])('Q7: a sample that %s is named', async (_, bad) => {
    await expect(run([feeds(0), bad])).rejects.toMatchObject({ code: 'E_DATASET', where: 'sample 1' });
  });
  it('Q8: a channel of zeros gets a finite scale, an outlier stays, and both are reported', () => {
    const graph = sample();
    const weight = graph.constant('w1')!.data as Float32Array;
    for (let k = 0; k < 16; k++) weight[k * 32] = 0;
    weight[1] = 1e30;
    const { max } = quantizeWeight(graph.constant('w1')!, false, 'w1');
    expect([max.data[0], max.data[1]]).toEqual([1, Math.fround(1e30)]);
    expect(weightWarnings(graph)).toEqual([
      { where: 'w1', message: expect.stringMatching(/has 1 of 32 output channels that are all zero/) },
      { where: 'w1', message: expect.stringMatching(/channel up to 1.0*e\+30|channel up to 1\.\d+e\+30/) },
    ]);
  });
  it('Q9: a quantised model is not quantised twice', async () => {
    const { ranges } = await run([feeds(0)]);
    const int8 = quantizeGraph(sample(), ranges);
    expect(() => quantizeGraph(int8, ranges)).toThrow(
      expect.objectContaining({ code: 'E_QUANT', message: expect.stringContaining('already') }),
    );
    await expect(calibrate(int8, { samples: [feeds(0)], run: exact })).rejects.toMatchObject({ code: 'E_QUANT' });
  });
  it('Q10: calibration that is stopped gives nothing, and again gives the same', async () => {
    const stop = new AbortController();
    await expect(run([feeds(0), feeds(1)], { signal: stop.signal, onProgress: () => stop.abort() })).rejects.toMatchObject({
      code: 'E_ABORTED',
    });
    const [a, b] = [await run([feeds(0), feeds(1)]), await run([feeds(1), feeds(0)])];
    expect(a.ranges).toEqual(b.ranges);
  });
});
