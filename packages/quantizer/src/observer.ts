/** Bins of a histogram; half of them lie below zero. */
export const BINS = 8192;

/** Narrowest bin, as a power of two: its reciprocal is a normal f32. */
export const MIN_EXPONENT = -126;

/** What was seen of some values. */
export interface Extent {
  /** Smallest finite element; +∞ where there is none. */
  readonly min: number;
  /** Largest finite element; −∞ where there is none. */
  readonly max: number;
  /** Elements that are NaN or infinite. */
  readonly nonFinite: number;
}

/** The two looks that calibration takes at a value. Native kernels can take the place of {@link plainObserver}. */
export interface Observer {
  extent(values: Float32Array): Extent;
  /** `counts[⌊x / 2^exponent⌋ + BINS / 2] += 1` for each finite x that falls into a bin. */
  count(values: Float32Array, exponent: number, counts: Float64Array): void;
}

/** Plain loops: what any other observer must agree with, count by count. */
export const plainObserver: Observer = {
  extent(values) {
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    let nonFinite = 0;
    for (let i = 0; i < values.length; i++) {
      const x = values[i]!;
      if (x - x !== 0) nonFinite++;
      else {
        if (x < min) min = x;
        if (x > max) max = x;
      }
    }
    return { min, max, nonFinite };
  },
  count(values, exponent, counts) {
    const reciprocal = 2 ** -exponent;
    const middle = counts.length / 2;
    for (let i = 0; i < values.length; i++) {
      const bin = Math.floor(values[i]! * reciprocal) + middle;
      if (bin >= 0 && bin < counts.length) counts[bin]! += 1;
    }
  },
};
