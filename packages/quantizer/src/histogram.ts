import { EngineError } from '@neural-engine/core';
import { BINS, MIN_EXPONENT, type Observer, plainObserver } from './observer';

const HALF = BINS / 2;

/** A closed interval of real values. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/**
 * Counts values in bins whose width is a power of two and doubles as larger values come; zero is always an edge.
 *
 * Doubling joins bins in pairs, which is what counting with the wider bins would have given: nothing is lost or moved, and the result
 * depends on the values alone, not on their order or how they came in batches.
 */
export class Histogram {
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  /** Bin `i` holds the values in [i − 4096, i − 4095) · 2^exponent. */
  counts = new Float64Array(BINS);
  exponent = MIN_EXPONENT;
  /** Finite values seen. */
  total = 0;
  /** Values that were NaN or infinite. */
  nonFinite = 0;
  /** 2^exponent, kept: a search of a range asks for it at every bin of every try. */
  private binWidth = 2 ** MIN_EXPONENT;

  constructor(private readonly observer: Observer = plainObserver) {}

  add(values: Float32Array): void {
    const { min, max, nonFinite } = this.observer.extent(values);
    this.nonFinite += nonFinite;
    if (min > max) return;
    this.min = Math.min(this.min, min);
    this.max = Math.max(this.max, max);
    this.widen();
    this.observer.count(values, this.exponent, this.counts);
    this.total += values.length - nonFinite;
  }

  /** Width of a bin. */
  get width(): number {
    return this.binWidth;
  }

  /** Lower edge of a bin. */
  edge(bin: number): number {
    return (bin - HALF) * this.width;
  }

  /** Middle of a bin. */
  center(bin: number): number {
    return (bin - HALF + 0.5) * this.width;
  }

  /** First bin that may hold anything, and the one after the last. */
  get span(): { readonly first: number; readonly end: number } {
    if (this.total === 0) return { first: HALF, end: HALF };
    return { first: Math.floor(this.min / this.width) + HALF, end: Math.floor(this.max / this.width) + HALF + 1 };
  }

  /**
   * Smallest and largest finite value.
   * @throws {EngineError} E_QUANT nothing was seen, or NaN or infinity was and `ignoreNonFinite` is not set.
   */
  range(where: string, { ignoreNonFinite = false } = {}): Range {
    if (this.nonFinite > 0 && !ignoreNonFinite)
      throw new EngineError('E_QUANT', 'quantize', `"${where}" took ${this.nonFinite} values that are NaN or infinite`, { where });
    if (this.total === 0) {
      const what = this.nonFinite > 0 ? 'took no finite value' : 'was never observed';
      throw new EngineError('E_QUANT', 'quantize', `"${where}" ${what}`, { where });
    }
    return { min: this.min, max: this.max };
  }

  /** Doubles the width until the extremes fall into bins. */
  private widen(): void {
    let joins = 0;
    while (!(this.max < HALF * 2 ** (this.exponent + joins) && this.min >= -HALF * 2 ** (this.exponent + joins))) joins++;
    if (joins === 0) return;
    this.exponent += joins;
    this.binWidth = 2 ** this.exponent;
    if (this.total === 0) return;
    const counts = new Float64Array(BINS);
    const size = 2 ** joins;
    for (let bin = 0; bin < BINS; bin++) {
      if (this.counts[bin]! > 0) counts[Math.floor((bin - HALF) / size) + HALF]! += this.counts[bin]!;
    }
    this.counts = counts;
  }
}
