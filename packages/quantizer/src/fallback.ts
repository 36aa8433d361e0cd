import { EngineError } from '@neural-engine/core';
import type { Graph } from '@neural-engine/ir';
import type { Range } from './histogram';
import { quantizeGraph } from './quantize-graph';
import type { Recipe } from './recipe';
import { leavesAnything } from './select';

/** What a trial says about one quantised graph. `Measure` is the caller's: a task metric with its statistics, say. */
export interface Trial<Measure> {
  /** Layers that stayed f32, in the order in which they fell back. */
  readonly fallbacks: readonly string[];
  readonly measure: Measure;
  readonly accepted: boolean;
}

export interface FallbackOptions<Measure> {
  /** Layers in the order in which they may fall back: most sensitive first. */
  readonly ranked: readonly string[];
  readonly recipe?: Recipe;
  /** Measures one candidate. */
  readonly measure: (graph: Graph, fallbacks: readonly string[]) => Promise<Measure>;
  /** Whether the criterion holds. */
  readonly accept: (measure: Measure) => boolean;
  /** Trials at most; default: one for each layer and one more. */
  readonly maxTrials?: number;
  readonly onTrial?: (trial: Trial<Measure>) => void;
  readonly signal?: AbortSignal;
}

export interface FallbackResult<Measure> {
  /** The accepted graph; without an accepted trial, undefined. */
  readonly graph: Graph | undefined;
  /** The recipe that gives that graph, or that of the last trial. */
  readonly recipe: Recipe;
  readonly trials: readonly Trial<Measure>[];
}

/**
 * Quantises every layer of the recipe, then lets the most sensitive ones fall back to f32, one more in each trial, until the criterion holds.
 *
 * @throws {EngineError} E_USAGE no trials are allowed; E_ABORTED the signal; whatever `measure` throws.
 */
export async function searchFallbacks<Measure>(
  graph: Graph,
  ranges: ReadonlyMap<string, Range>,
  options: FallbackOptions<Measure>,
): Promise<FallbackResult<Measure>> {
  const { ranked, recipe = {}, maxTrials = ranked.length + 1 } = options;
  if (!(Number.isInteger(maxTrials) && maxTrials > 0))
    throw new EngineError('E_USAGE', 'quantize', `maxTrials is ${maxTrials}, expected a positive integer`, { where: 'maxTrials' });
  const trials: Trial<Measure>[] = [];
  let tried: Recipe = recipe;
  // The last layer that is left cannot fall back: nothing would be quantised.
  for (let count = 0; count < Math.min(maxTrials, Math.max(1, ranked.length)); count++) {
    if (options.signal?.aborted) throw new EngineError('E_ABORTED', 'quantize', `the search was stopped after ${trials.length} trials`);
    const fallbacks = ranked.slice(0, count);
    tried = { ...recipe, layers: { ...recipe.layers, ...Object.fromEntries(fallbacks.map((name) => [name, 'fp32' as const])) } };
    if (!leavesAnything(graph, tried)) break;
    const candidate = quantizeGraph(graph, ranges, tried);
    const measure = await options.measure(candidate, fallbacks);
    const trial = { fallbacks, measure, accepted: options.accept(measure) };
    trials.push(trial);
    options.onTrial?.(trial);
    if (trial.accepted) return { graph: candidate, recipe: tried, trials };
  }
  return { graph: undefined, recipe: tried, trials };
}
