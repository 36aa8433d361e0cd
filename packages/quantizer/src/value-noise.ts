import { quantizationError } from './choose-range';
import type { Histogram, Range } from './histogram';
import { decibels } from './sensitivity';

/** Signal to noise, in dB, of values in 256 codes over a range: what rounding and clipping leave of them. */
export function valueSnr(histogram: Histogram, range: Range): number {
  const { first, end } = histogram.span;
  let power = 0;
  for (let bin = first; bin < end; bin++) power += histogram.counts[bin]! * histogram.center(bin) ** 2;
  return decibels(power / Math.max(1, histogram.total), quantizationError(histogram, range));
}

/** Share of values outside a range, which become its ends. */
export function clippedShare(histogram: Histogram, { min, max }: Range): number {
  const { first, end } = histogram.span;
  let outside = 0;
  for (let bin = first; bin < end; bin++) {
    const x = histogram.center(bin);
    if (x < min || x > max) outside += histogram.counts[bin]!;
  }
  return outside / Math.max(1, histogram.total);
}
