import { EngineError } from '@neural-engine/core';
import { BLOCKS, type WeightView, zeroBlockRatio } from './measure';

/** When a weight runs sparse: `threshold` is the original's rule, `auto` lets the kernel's gain decide. */
export const SPARSE_POLICIES = ['auto', 'threshold', 'always', 'never'] as const;
export type SparsePolicy = (typeof SPARSE_POLICIES)[number];

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

/** @throws {EngineError} E_USAGE a policy that does not exist, or a threshold that is no share of 1. */
export function checkPolicy(policy: SparsePolicy | undefined, threshold: number | undefined): void {
  const fail = (message: string, where: string): never => {
    throw new EngineError('E_USAGE', 'usage', message, { where });
  };
  if (policy !== undefined && !SPARSE_POLICIES.includes(policy))
    fail(`sparse: expected ${SPARSE_POLICIES.map((each) => `"${each}"`).join(', ')}, got ${JSON.stringify(policy)}`, 'sparse');
  if (threshold !== undefined && !(threshold >= 0 && threshold <= 1))
    fail(`sparseThreshold: expected a number from 0 to 1, got ${threshold}`, 'sparseThreshold');
}

/**
 * Decides whether a weight runs on the 4x1 kernels, with the reason.
 *
 * @throws {EngineError} E_USAGE as {@link checkPolicy}.
 */
export function decideSparse(weight: WeightView, options: DecideOptions = {}): SparseDecision {
  const { policy = 'auto', threshold = DEFAULT_THRESHOLD, breakEven = DEFAULT_BREAK_EVEN } = options;
  checkPolicy(policy, threshold);
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
