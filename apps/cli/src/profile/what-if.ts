import type { KernelChoice } from '@neural-engine/runtime';
import { DEFAULT_BREAK_EVEN } from '@neural-engine/sparsity';

/** The zero ratios that the question is asked for. */
export const WHAT_IF = [0.7, 0.8, 0.9] as const;

/**
 * Milliseconds a weight's layer would take with that share of zero 4x1 blocks: an estimate.
 *
 * The sparse kernels' time goes with what is left. A layer that runs dense is taken to break even where `auto` switches. Layers without
 * a weight, and those whose outputs make no blocks of four, stay as they are.
 */
export function whatIf(ms: number, choice: KernelChoice | undefined, zeros: number): number {
  if (!choice || choice.out % 4 !== 0) return ms;
  const isSparse = choice.sparse;
  const then = (ms * (1 - zeros)) / Math.max(1 - (isSparse ? choice.zeroRatio : DEFAULT_BREAK_EVEN), 0.01);
  return isSparse ? then : Math.min(ms, then);
}
