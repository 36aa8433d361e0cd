import { EngineError } from '@neural-engine/core';
import type { Histogram, Range } from './histogram';

/** How a range is cut from what was observed. */
export type CalibrationMethod = 'minmax' | 'percentile' | 'entropy' | 'mse';

export interface RangeOptions {
  readonly method: CalibrationMethod;
  /** For `percentile`: share of values kept, in per cent. Default 99.99. */
  readonly percentile?: number;
}

/**
 * Chooses the range that will be spread over 256 codes. Zero is always inside, so that it has a code of its own.
 *
 * `entropy` minimises the Kullback-Leibler divergence between the values and their quantised form (Migacz 2017), `mse` the mean square
 * error; both try cuts of the observed range, `percentile` drops the outermost values on both sides.
 */
export function chooseRange(histogram: Histogram, options: RangeOptions, where: string): Range {
  const full = histogram.range(where);
  switch (options.method) {
    case 'minmax':
      return withZero(full);
    case 'percentile':
      return withZero(cutPercentile(histogram, options.percentile ?? 99.99));
    case 'entropy':
      return withZero(searchCut(histogram, divergence));
    case 'mse':
      return withZero(searchCut(histogram, squareError));
    default:
      throw new EngineError(
        'E_USAGE',
        'quantize',
        `no calibration method is called "${String(options.method)}"; there are minmax, percentile, entropy and mse`,
      );
  }
}

function withZero({ min, max }: Range): Range {
  const range = { min: Math.min(0, min), max: Math.max(0, max) };
  // A tensor of zeros: scale 1.
  return range.min === range.max ? { min: 0, max: 255 } : range;
}

function cutPercentile(histogram: Histogram, percentile: number): Range {
  const drop = (histogram.total * (1 - percentile / 100)) / 2;
  const width = (histogram.max - histogram.min) / histogram.bins;
  let low = 0;
  for (let sum = histogram.counts[0]!; sum < drop && low < histogram.bins - 1; sum += histogram.counts[++low]!);
  let high = histogram.bins - 1;
  for (let sum = histogram.counts[high]!; sum < drop && high > low; sum += histogram.counts[--high]!);
  return { min: histogram.min + low * width, max: histogram.min + (high + 1) * width };
}

/** Tries 64 cuts on each side apart, keeping the other side whole first, then the best pair around. */
function searchCut(histogram: Histogram, cost: (histogram: Histogram, low: number, high: number) => number): Range {
  const { bins } = histogram;
  const step = bins / 64;
  let [low, high] = [0, bins];
  let best = cost(histogram, low, high);
  for (let round = 0; round < 2; round++) {
    for (let cut = step; high - cut > step * 4; cut += step) {
      const at = cost(histogram, low, bins - cut);
      if (at < best) [best, high] = [at, bins - cut];
    }
    for (let cut = step; high - cut > step * 4; cut += step) {
      const at = cost(histogram, cut, high);
      if (at < best) [best, low] = [at, cut];
    }
  }
  const width = (histogram.max - histogram.min) / bins;
  return { min: histogram.min + low * width, max: histogram.min + high * width };
}

function squareError(histogram: Histogram, low: number, high: number): number {
  const width = (histogram.max - histogram.min) / histogram.bins;
  const [min, max] = [histogram.min + low * width, histogram.min + high * width];
  const step = (max - min) / 255;
  let error = 0;
  for (let bin = 0; bin < histogram.bins; bin++) {
    const count = histogram.counts[bin]!;
    if (count === 0) continue;
    const x = histogram.center(bin);
    const clipped = Math.min(max, Math.max(min, x));
    // Inside the range the error is that of rounding, step²/12 on average.
    error += count * (clipped === x ? (step * step) / 12 : (x - clipped) ** 2 + (step * step) / 12);
  }
  return error;
}

function divergence(histogram: Histogram, low: number, high: number): number {
  const levels = 256;
  const span = high - low;
  const p = Array.from(histogram.counts.subarray(low, high));
  for (let bin = 0; bin < low; bin++) p[0]! += histogram.counts[bin]!;
  for (let bin = high; bin < histogram.bins; bin++) p[span - 1]! += histogram.counts[bin]!;
  let sum = 0;
  for (let level = 0; level < levels; level++) {
    const from = Math.floor((level * span) / levels);
    const to = Math.max(from + 1, Math.floor(((level + 1) * span) / levels));
    let inside = 0;
    let used = 0;
    for (let i = from; i < to; i++) {
      inside += histogram.counts[low + i]!;
      if (p[i]! > 0) used++;
    }
    for (let i = from; i < to; i++) {
      if (p[i]! > 0) sum += p[i]! * Math.log(p[i]! / Math.max(inside / Math.max(used, 1), 1e-9));
    }
  }
  return sum / histogram.total;
}
