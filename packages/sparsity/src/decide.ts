import { BLOCKS, type WeightView, zeroBlockRatio } from './measure';

/** When a weight runs sparse: `threshold` is the original's rule, `auto` lets the kernel's gain decide. */
export type SparsePolicy = 'auto' | 'threshold' | 'always' | 'never';

export interface SparseDecision {
  readonly sparse: boolean;
  /** Share of zero 4x1 blocks. */
  readonly zeroRatio: number;
  /** One clause that says why, fit to be printed. */
  readonly reason: string;
}

export interface DecideOptions {
  readonly policy?: SparsePolicy;
  /** For `threshold`. */
  readonly threshold?: number;
  /** For `auto`: zero ratio from which the sparse kernel wins. */
  readonly breakEven?: number;
}

export const DEFAULT_THRESHOLD = 0.7;
/** Below this the index stream and the shuffles cost more than the zeros save (apps/docs/kernels/spmm-u8s8-4x1.md). */
export const DEFAULT_BREAK_EVEN = 0.45;

const percent = (ratio: number): string => `${(ratio * 100).toFixed(1)}%`;

/** Decides whether a weight runs on the 4x1 kernels, with the reason. */
export function decideSparse(weight: WeightView, options: DecideOptions = {}): SparseDecision {
  const { policy = 'auto', threshold = DEFAULT_THRESHOLD, breakEven = DEFAULT_BREAK_EVEN } = options;
  const zeroRatio = zeroBlockRatio(weight, BLOCKS['4x1']);
  const say = (sparse: boolean, reason: string): SparseDecision => ({ sparse, zeroRatio, reason });
  if (weight.out % 4 !== 0) return say(false, `${weight.out} output channels are no multiple of 4`);
  if (policy === 'never') return say(false, 'sparse kernels are turned off');
  if (policy === 'always') return say(true, 'sparse kernels are forced');
  const limit = policy === 'threshold' ? threshold : breakEven;
  return zeroRatio >= limit
    ? say(true, `${percent(zeroRatio)} of its 4x1 blocks are zero, at least ${percent(limit)}`)
    : say(false, `${percent(zeroRatio)} of its 4x1 blocks are zero, below ${percent(limit)}`);
}
