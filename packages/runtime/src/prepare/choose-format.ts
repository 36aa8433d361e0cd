import type { WeightFormat } from '@neural-engine/kernels';
import { type DecideOptions, decideSparse, expectedGain, type WeightView } from '@neural-engine/sparsity';
import { kernels } from '../kernels';

/** How a weight will be stored, and why. */
export interface FormatChoice {
  readonly format: WeightFormat;
  /** Whether blocks of zeros are left out. */
  readonly sparse: boolean;
  /** Share of zero 4x1 blocks. */
  readonly zeroRatio: number;
  /** One clause that says why, fit to be printed. */
  readonly reason: string;
  /** Estimated speed relative to the best dense form; 1 for a dense weight. */
  readonly gain: number;
}

/** Panels of 64 tokens that kernels are compared for: what one pass over a weight usually serves. */
const PANELS = 2;

const SPARSE_FORMATS: ReadonlySet<WeightFormat> = new Set(['sparse4x1', 'compressed4x1']);

/** Chooses how a weight is stored: f32 and bf16 by its zeros, s8 by what the kernels of this CPU would take (architecture, "Kernel choice"). */
export function chooseFormat(weight: WeightView, dtype: 'f32' | 'bf16' | 's8', options: DecideOptions): FormatChoice {
  const { sparse, zeroRatio, reason } = decideSparse(weight, options);
  if (dtype !== 's8') {
    const gain = sparse ? expectedGain(zeroRatio, weight.in, options.breakEven) : 1;
    return { format: sparse ? 'sparse4x1' : 'dense', sparse, zeroRatio, reason, gain };
  }
  const { out, in: inputs } = weight;
  const blocks = Math.round((1 - zeroRatio) * Math.ceil(out / 4) * inputs);
  const candidates = kernels().linearCandidates(out, inputs, blocks, PANELS);
  const dense = candidates.find((candidate) => !SPARSE_FORMATS.has(candidate.format))!;
  const auto = (options.policy ?? 'auto') === 'auto';
  const best = auto ? candidates[0]! : candidates.find((candidate) => SPARSE_FORMATS.has(candidate.format) === sparse)!;
  const gain = dense.cycles / best.cycles;
  const choice = { format: best.format, sparse: SPARSE_FORMATS.has(best.format), zeroRatio, gain };
  if (!auto || out % 4 !== 0) return { ...choice, reason };
  const zeros = `${(zeroRatio * 100).toFixed(1)}% of its 4x1 blocks are zero`;
  if (choice.sparse) {
    return { ...choice, reason: `${zeros}: ${best.kernel} should be ${gain.toFixed(1)}× as fast as ${dense.kernel}` };
  }
  const skipping = candidates.find((candidate) => SPARSE_FORMATS.has(candidate.format))!;
  return {
    ...choice,
    reason: `${zeros}: ${skipping.kernel} would be ${(dense.cycles / skipping.cycles).toFixed(2)}× as fast as ${dense.kernel}`,
  };
}
