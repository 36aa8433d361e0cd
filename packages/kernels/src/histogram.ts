import { calling } from './errors';
import { native } from './load';

/** Bins that {@link countValues} counts into; half of them lie below zero. */
export const HISTOGRAM_BINS = 8192;

/** What was seen of some values. */
export interface Extent {
  /** Smallest finite element; +∞ where there is none. */
  readonly min: number;
  /** Largest finite element; −∞ where there is none. */
  readonly max: number;
  /** Elements that are NaN or infinite. */
  readonly nonFinite: number;
}

/**
 * Smallest and largest of some values, and how many are not finite.
 *
 * @throws {EngineError} E_USAGE no Float32Array; E_ISA no native library.
 */
export function extent(values: Float32Array): Extent {
  return calling('run', () => native().extent(values));
}

/**
 * Adds 1 to `counts[⌊x / 2^exponent⌋ + HISTOGRAM_BINS / 2]` for each finite x that falls into a bin.
 *
 * @param exponent  from −126 to 126.
 * @param counts    {@link HISTOGRAM_BINS} whole numbers.
 * @throws {EngineError} E_USAGE types, lengths or the exponent do not fit; E_ISA no native library.
 */
export function countValues(values: Float32Array, exponent: number, counts: Float64Array): void {
  calling('run', () => native().countValues(values, exponent, counts));
}
