import { EngineError } from '@neural-engine/core';

export interface BootstrapOptions {
  /** Resamples. Default 10,000. */
  readonly resamples?: number;
  /** Same seed, same result. Default 1. */
  readonly seed?: number;
  /** Share of the resampled differences between the bounds. Default 0.95. */
  readonly confidence?: number;
}

export interface PairedDifference {
  /** Mean of candidate − baseline, in the unit of the scores. */
  readonly difference: number;
  readonly lower: number;
  readonly upper: number;
  readonly standardError: number;
}

/**
 * The difference of two systems on the same examples with its confidence interval, by resampling the examples in pairs.
 *
 * A drop is within a budget when even the interval's worse bound is: 1,000 examples rarely can decide about one point.
 * @param baseline one score an example; `candidate` in the same order.
 * @throws {EngineError} E_DATASET different or zero lengths; E_USAGE options that make no sense.
 * @see Efron & Tibshirani 1993, "An Introduction to the Bootstrap", percentile intervals.
 */
export function pairedBootstrap(
  baseline: ArrayLike<number>,
  candidate: ArrayLike<number>,
  options: BootstrapOptions = {},
): PairedDifference {
  const { resamples = 10_000, seed = 1, confidence = 0.95 } = options;
  const count = baseline.length;
  if (count !== candidate.length || count === 0) {
    throw new EngineError(
      'E_DATASET',
      'evaluate',
      `paired scores must be of one length above 0, there are ${count} and ${candidate.length}`,
    );
  }
  if (!Number.isSafeInteger(resamples) || resamples < 2 || !(confidence > 0 && confidence < 1)) {
    throw new EngineError(
      'E_USAGE',
      'evaluate',
      `resamples ${resamples} must be an integer above 1, confidence ${confidence} between 0 and 1`,
    );
  }
  const differences = Float64Array.from({ length: count }, (_, i) => candidate[i]! - baseline[i]!);
  const random = randomIndices(seed, count);
  const means = new Float64Array(resamples);
  for (let sample = 0; sample < resamples; sample++) {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += differences[random()]!;
    means[sample] = sum / count;
  }
  const centre = means.reduce((sum, value) => sum + value, 0) / resamples;
  const variance = means.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (resamples - 1);
  means.sort();
  return {
    difference: differences.reduce((sum, value) => sum + value, 0) / count,
    lower: quantile(means, (1 - confidence) / 2),
    upper: quantile(means, (1 + confidence) / 2),
    standardError: Math.sqrt(variance),
  };
}

/** Linear between the two nearest of the sorted values. */
function quantile(sorted: Float64Array, share: number): number {
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (sorted[above]! - sorted[below]!) * (position - below);
}

/** Indices below `count` from a 32-bit xorshift generator (Marsaglia 2003). */
function randomIndices(seed: number, count: number): () => number {
  // A state of 0 would stay 0; the multiplication spreads small seeds over all bits.
  let state = Math.imul(seed | 0, 0x9e3779b1) || 0x6d2b79f5;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 2 ** 32) * count);
  };
}
