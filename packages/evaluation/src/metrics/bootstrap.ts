import { EngineError } from '@neural-engine/core';

/** What the scores of some examples come to; examples are indices and may repeat. */
export type Statistic = (scores: ArrayLike<number>, examples: ArrayLike<number>) => number;

export interface BootstrapOptions {
  /** What is compared. Default: the mean of the scores. */
  readonly statistic?: Statistic;
  /** Resamples. Default 10,000; 1,000 for a statistic other than the mean. */
  readonly resamples?: number;
  /** Same seed, same result. Default 1. */
  readonly seed?: number;
  /** Share of the resampled differences between the bounds. Default 0.95. */
  readonly confidence?: number;
}

export interface PairedDifference {
  /** Statistic of the candidate − that of the baseline; the mean is in the unit of the scores. */
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
  const { statistic, resamples = statistic ? 1000 : 10_000, seed = 1, confidence = 0.95 } = options;
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
  const random = randomIndices(seed, count);
  const examples = new Uint32Array(count);
  const differenceOf = statistic
    ? () => statistic(candidate, examples) - statistic(baseline, examples)
    : meanDifference(baseline, candidate, examples);
  const means = new Float64Array(resamples);
  for (let sample = 0; sample < resamples; sample++) {
    for (let i = 0; i < count; i++) examples[i] = random();
    means[sample] = differenceOf();
  }
  for (let i = 0; i < count; i++) examples[i] = i;
  const centre = means.reduce((sum, value) => sum + value, 0) / resamples;
  const variance = means.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (resamples - 1);
  means.sort();
  return {
    difference: differenceOf(),
    lower: quantile(means, (1 - confidence) / 2),
    upper: quantile(means, (1 + confidence) / 2),
    standardError: Math.sqrt(variance),
  };
}

/** Mean of candidate − baseline over the examples that `examples` holds when it is called. */
function meanDifference(baseline: ArrayLike<number>, candidate: ArrayLike<number>, examples: Uint32Array): () => number {
  const differences = Float64Array.from(baseline, (value, i) => candidate[i]! - value);
  return () => {
    let sum = 0;
    for (let i = 0; i < examples.length; i++) sum += differences[examples[i]!]!;
    return sum / examples.length;
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
