import { EngineError } from '@neural-engine/core';
import type { Histogram, Range } from './histogram';

/** How a range is cut from what was observed. */
export const CALIBRATION_METHODS = ['minmax', 'percentile', 'entropy', 'mse'] as const;
export type CalibrationMethod = (typeof CALIBRATION_METHODS)[number];

export interface RangeOptions {
  readonly method: CalibrationMethod;
  /** For `percentile`: share of values kept, in per cent. Default 99.99. */
  readonly percentile?: number;
  /** Choose from the finite values alone. Default false: NaN and infinity are refused. */
  readonly ignoreNonFinite?: boolean;
}

/**
 * Chooses the range that will be spread over 256 codes. Zero is always inside, so that it has a code of its own.
 *
 * `entropy` minimises the Kullback-Leibler divergence between the values and their quantised form (Migacz 2017), `mse` the mean square
 * error; both try cuts of the observed range, `percentile` drops the outermost values on both sides.
 *
 * @throws {EngineError} E_QUANT NaN, infinity or nothing was observed; E_USAGE no such method, or a percentile outside (50, 100].
 */
export function chooseRange(histogram: Histogram, options: RangeOptions, where: string): Range {
  const full = histogram.range(where, { ignoreNonFinite: options.ignoreNonFinite ?? false });
  switch (options.method) {
    case 'minmax':
      return withZero(full);
    case 'percentile':
      return withZero(inside(cutPercentile(histogram, options.percentile ?? 99.99), full));
    case 'entropy':
      return withZero(inside(searchCut(histogram, divergence), full));
    case 'mse':
      return withZero(inside(searchCut(histogram, squareError), full));
    default:
      throw new EngineError(
        'E_USAGE',
        'quantize',
        `no calibration method is called "${String(options.method)}"; there are ${CALIBRATION_METHODS.join(', ')}`,
      );
  }
}

/** Zero goes inside; a tensor of zeros gets scale 1. */
function withZero({ min, max }: Range): Range {
  const range = { min: Math.min(0, min), max: Math.max(0, max) };
  return range.min === range.max ? { min: 0, max: 255 } : range;
}

/** Bins end beyond the outermost values. */
const inside = (cut: Range, full: Range): Range => ({ min: Math.max(cut.min, full.min), max: Math.min(cut.max, full.max) });

const rangeOf = (histogram: Histogram, low: number, high: number): Range => ({ min: histogram.edge(low), max: histogram.edge(high) });

function cutPercentile(histogram: Histogram, percentile: number): Range {
  if (!(percentile > 50 && percentile <= 100))
    throw new EngineError('E_USAGE', 'quantize', `percentile ${percentile}: expected more than 50 and at most 100`);
  const { counts, span } = histogram;
  const drop = (histogram.total * (1 - percentile / 100)) / 2;
  let low = span.first;
  for (let sum = counts[low]!; sum <= drop && low < span.end - 1; sum += counts[++low]!);
  let high = span.end - 1;
  for (let sum = counts[high]!; sum <= drop && high > low; sum += counts[--high]!);
  return rangeOf(histogram, low, high + 1);
}

/** Cuts tried on each side in each round. */
const CUTS = 64;

/** Tries cuts on the high side with the low one kept, then on the low side, then both again from what was best. */
function searchCut(histogram: Histogram, cost: (histogram: Histogram, low: number, high: number) => number): Range {
  const { first, end } = histogram.span;
  const step = Math.max(1, Math.floor((end - first) / CUTS));
  let [low, high] = [first, end];
  let best = cost(histogram, low, high);
  for (let round = 0; round < 2; round++) {
    for (let to = end; to > low + 4 * step; to -= step) {
      const at = cost(histogram, low, to);
      if (at < best) [best, high] = [at, to];
    }
    for (let from = first; from < high - 4 * step; from += step) {
      const at = cost(histogram, from, high);
      if (at < best) [best, low] = [at, from];
    }
  }
  return rangeOf(histogram, low, high);
}

/** Mean of (x − quantised x)² times the number of values: rounding inside the range, clipping outside. */
export function squareError(histogram: Histogram, low: number, high: number): number {
  const { min, max } = withZero(rangeOf(histogram, low, high));
  return quantizationError(histogram, { min, max }) * histogram.total;
}

/** Mean square error of spreading a range over 256 codes; inside the range it is that of rounding, step² / 12 on average. */
export function quantizationError(histogram: Histogram, { min, max }: Range): number {
  const rounding = ((max - min) / 255) ** 2 / 12;
  const { first, end } = histogram.span;
  let error = 0;
  for (let bin = first; bin < end; bin++) {
    const count = histogram.counts[bin]!;
    if (count === 0) continue;
    const x = histogram.center(bin);
    const beyond = x - Math.min(max, Math.max(min, x));
    error += count * (beyond * beyond + rounding);
  }
  return histogram.total === 0 ? 0 : error / histogram.total;
}

const LEVELS = 256;

/** Σ p · log(p / q) of the values clipped to [low, high) against their form in 256 levels. */
function divergence(histogram: Histogram, low: number, high: number): number {
  const { counts, span: whole } = histogram;
  const span = high - low;
  const p = counts.slice(low, high);
  for (let bin = whole.first; bin < low; bin++) p[0]! += counts[bin]!;
  for (let bin = high; bin < whole.end; bin++) p[span - 1]! += counts[bin]!;
  let sum = 0;
  for (let level = 0; level < LEVELS; level++) {
    const from = Math.floor((level * span) / LEVELS);
    const to = Math.max(from + 1, Math.floor(((level + 1) * span) / LEVELS));
    let held = 0;
    let used = 0;
    for (let i = from; i < to; i++) {
      held += counts[low + i]!;
      if (p[i]! > 0) used++;
    }
    for (let i = from; i < to; i++) {
      if (p[i]! > 0) sum += p[i]! * Math.log(p[i]! / Math.max(held / Math.max(used, 1), 1e-9));
    }
  }
  return sum / histogram.total;
}
