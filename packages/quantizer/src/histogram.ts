import { EngineError } from '@neural-engine/core';

const BINS = 2048;

/** A closed interval of real values. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/**
 * Counts values in 2048 equal bins over a range that grows as values come; what was counted is spread over the new bins, never lost.
 */
export class Histogram {
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  counts = new Float64Array(BINS);
  total = 0;
  /** Values that were NaN or infinite. */
  nonFinite = 0;

  add(values: Float32Array): void {
    let low = this.min;
    let high = this.max;
    let bad = 0;
    for (let i = 0; i < values.length; i++) {
      const x = values[i]!;
      if (x - x !== 0) bad++;
      else {
        if (x < low) low = x;
        if (x > high) high = x;
      }
    }
    this.nonFinite += bad;
    if (low > high) return;
    if (low < this.min || high > this.max) this.widen(low, high);
    const scale = this.max > this.min ? BINS / (this.max - this.min) : 0;
    const { counts, min } = this;
    for (let i = 0; i < values.length; i++) {
      const bin = (values[i]! - min) * scale;
      if (bin >= 0) counts[bin >= BINS ? BINS - 1 : bin | 0]! += 1;
    }
    this.total += values.length - bad;
  }

  /** Middle of a bin. */
  center(bin: number): number {
    return this.min + ((bin + 0.5) * (this.max - this.min)) / BINS;
  }

  get bins(): number {
    return BINS;
  }

  range(where: string): Range {
    if (this.nonFinite > 0)
      throw new EngineError('E_QUANT', 'quantize', `"${where}" took ${this.nonFinite} values that are NaN or infinite`, { where });
    if (this.total === 0) throw new EngineError('E_QUANT', 'quantize', `"${where}" was never observed`, { where });
    return { min: this.min, max: this.max };
  }

  /** Moves the counts to a range that holds the old one and [low, high]; each old bin goes to the bin its middle falls in. */
  private widen(low: number, high: number): void {
    const [oldMin, oldMax, old] = [this.min, this.max, this.counts];
    this.min = Math.min(low, oldMin);
    this.max = Math.max(high, oldMax);
    if (this.total === 0) return;
    const counts = new Float64Array(BINS);
    const scale = BINS / (this.max - this.min);
    const width = (oldMax - oldMin) / BINS;
    for (let bin = 0; bin < BINS; bin++) {
      const count = old[bin]!;
      if (count === 0) continue;
      const at = Math.min(BINS - 1, Math.max(0, Math.floor((oldMin + (bin + 0.5) * width - this.min) * scale)));
      counts[at]! += count;
    }
    this.counts = counts;
  }
}
