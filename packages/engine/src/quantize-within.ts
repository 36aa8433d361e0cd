import { EngineError } from '@neural-engine/core';
import { pairedBootstrap, type Statistic } from '@neural-engine/evaluation';
import type { Graph } from '@neural-engine/ir';
import {
  type Calibration,
  type FallbackResult,
  measureSensitivity,
  type Recipe,
  type Sample,
  type Sensitivity,
  searchFallbacks,
  type Trial,
} from '@neural-engine/quantizer';
import { engineRunner } from './quantize';

/** How much of a metric may be lost. */
export interface Budget {
  readonly amount: number;
  /** `points` of the metric, or a share of the fp32 figure. */
  readonly kind: 'points' | 'relative';
}

/** The metric of one candidate against fp32, on the same examples. */
export interface TaskMeasure {
  /** Mean of the scores, or what the task makes of them, in points (0 to 100). */
  readonly metric: number;
  /** Points below fp32; negative above it. */
  readonly drop: number;
  /** 95% of resampled drops lie between these. */
  readonly dropLower: number;
  readonly dropUpper: number;
  readonly standardError: number;
}

export interface TaskScores {
  /** One an example: 0 to 1, or whatever `statistic` reads. */
  readonly scores: ArrayLike<number>;
  /** What the scores come to, at most 1: a correlation with the labels, say. Default: their mean. */
  readonly statistic?: Statistic;
}

export interface WithinOptions {
  readonly calibration: Calibration;
  readonly recipe?: Recipe;
  readonly budget: Budget;
  /** Scores each example with a graph. */
  readonly score: (graph: Graph, label: string) => Promise<TaskScores>;
  /** Samples on which layers are ranked. */
  readonly rankOn: readonly Sample[];
  /** Demand that even the upper bound of the drop is within the budget, not only its mean. */
  readonly confident?: boolean;
  readonly maxTrials?: number;
  readonly threads?: number;
  readonly onRanked?: (done: number, total: number) => void;
  readonly onTrial?: (trial: Trial<TaskMeasure>) => void;
  readonly signal?: AbortSignal;
}

export interface WithinResult extends FallbackResult<TaskMeasure> {
  /** The fp32 figure, in points. */
  readonly baseline: number;
  /** The drop allowed, in points. */
  readonly allowed: number;
  readonly sensitivity: Sensitivity;
}

/**
 * Reads a budget: `1%` is relative to the fp32 figure, `0.35` is in points of the metric.
 * @throws {EngineError} E_USAGE neither.
 */
export function parseBudget(text: string, where = 'maxDrop'): Budget {
  const [, number, percent] = /^\s*(\d+(?:\.\d+)?|\.\d+)\s*(%?)\s*$/.exec(text) ?? [];
  if (number === undefined || Number(number) > 100)
    throw new EngineError('E_USAGE', 'quantize', `${where} ${text}: expected a share as 1% or points of the metric as 0.35`, { where });
  return percent ? { amount: Number(number) / 100, kind: 'relative' } : { amount: Number(number), kind: 'points' };
}

/**
 * Static int8 that keeps a task metric: measures fp32, ranks layers by what they cost the outputs, and lets them fall back one by one until
 * the drop is within the budget.
 *
 * @throws {EngineError} E_DATASET no examples or samples; E_ABORTED the signal; whatever `score` throws.
 */
export async function quantizeWithin(graph: Graph, options: WithinOptions): Promise<WithinResult> {
  const { calibration, recipe = {}, budget, score } = options;
  const base = await score(graph, 'fp32');
  const baseline = figureOf(base.scores, base.statistic);
  const allowed = budget.kind === 'points' ? budget.amount : budget.amount * baseline;
  const sensitivity = await measureSensitivity(graph, calibration.ranges, {
    samples: options.rankOn,
    run: engineRunner(options.threads === undefined ? {} : { threads: options.threads }),
    recipe,
    ...(options.onRanked ? { onProgress: options.onRanked } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const result = await searchFallbacks<TaskMeasure>(graph, calibration.ranges, {
    ranked: sensitivity.layers.map(({ layer }) => layer),
    recipe,
    measure: async (candidate, fallbacks) =>
      measureAgainst(base.scores, (await score(candidate, labelOf(fallbacks))).scores, base.statistic),
    accept: ({ drop, dropUpper }) => (options.confident ? dropUpper : drop) <= allowed,
    ...(options.maxTrials === undefined ? {} : { maxTrials: options.maxTrials }),
    ...(options.onTrial ? { onTrial: options.onTrial } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  return { ...result, baseline, allowed, sensitivity };
}

const labelOf = (fallbacks: readonly string[]): string => (fallbacks.length === 0 ? 'int8' : `int8, ${fallbacks.length} in fp32`);

/** A candidate's figures beside the baseline's, paired example by example. */
export function measureAgainst(baseline: ArrayLike<number>, candidate: ArrayLike<number>, statistic?: Statistic): TaskMeasure {
  const { difference, lower, upper, standardError } = pairedBootstrap(baseline, candidate, statistic ? { statistic } : {});
  return {
    metric: figureOf(candidate, statistic),
    drop: -100 * difference,
    dropLower: -100 * upper,
    dropUpper: -100 * lower,
    standardError: 100 * standardError,
  };
}

/** In points. */
function figureOf(scores: ArrayLike<number>, statistic: Statistic = mean): number {
  return (
    100 *
    statistic(
      scores,
      Uint32Array.from(scores, (_, i) => i),
    )
  );
}

const mean: Statistic = (scores, examples) => {
  let sum = 0;
  for (let i = 0; i < examples.length; i++) sum += scores[examples[i]!]!;
  return examples.length === 0 ? 0 : sum / examples.length;
};
