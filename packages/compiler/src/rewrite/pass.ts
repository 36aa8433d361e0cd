import type { Graph } from '@neural-engine/ir';
import { PassLog } from './report';

/** What a file says about the values of an activation: the range its 8 bits span. */
export interface ActivationRange {
  readonly min: number;
  readonly max: number;
}

/**
 * What becomes of the roundings that a quantised file writes between products. `fused`: a product takes its bias, activation and residual
 * in f32 in one pass, and only what products multiply is rounded. `file`: every value is rounded where the file rounds it.
 */
export type Rounding = 'fused' | 'file';

/** What a pass gets besides the graph. */
export interface PassContext {
  readonly rounding: Rounding;
  /** Takes hits and declined near misses. */
  readonly log: PassLog;
  /** Ranges of activations by value name, from a quantised file; values keep their names through rewrites. */
  readonly ranges: Map<string, ActivationRange>;
  /** Values that a quantised file codes by ranges it finds at run time, by name. */
  readonly dynamic: Set<string>;
  /** Results of attentions whose own products a quantised file computes in 8 bits. */
  readonly attentions: Set<string>;
}

/** Gives a value the range of another that holds the same elements, unless it has one. */
export function carryRange(ranges: Map<string, ActivationRange>, from: string, to: string): void {
  const range = ranges.get(from);
  if (range && !ranges.has(to)) ranges.set(to, range);
}

/** What a pass gets that runs by itself. */
export const emptyContext = (log: PassLog = new PassLog(''), rounding: Rounding = 'fused'): PassContext => ({
  log,
  rounding,
  ranges: new Map(),
  dynamic: new Set(),
  attentions: new Set(),
});

/** One step of the pipeline. */
export interface Pass {
  /** Verb and object, after the mathematics: `fuse-gelu`. */
  readonly name: string;
  /** One sentence on what it does. */
  readonly summary: string;
  /** Returns the changed graph, or the same one where there is nothing to do. Never edits its argument. */
  run(graph: Graph, context: PassContext): Graph;
}
