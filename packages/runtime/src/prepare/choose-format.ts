import type { LinearCandidate, WeightFormat } from '@neural-engine/kernels';
import { type DecideOptions, decideSparse, expectedGain, type WeightView } from '@neural-engine/sparsity';
import { kernels } from '../kernels';
import type { TimeFormats } from './time-formats';

/** How a weight will be stored, and why. */
export interface FormatChoice {
  readonly format: WeightFormat;
  /** Whether blocks of zeros are left out. */
  readonly sparse: boolean;
  /** Share of zero 4x1 blocks. */
  readonly zeroRatio: number;
  /** One clause that says why, fit to be printed. */
  readonly reason: string;
  /** Speed relative to the best dense form, estimated or measured; 1 for a dense weight. */
  readonly gain: number;
}

/** Panels of 64 tokens that kernels are compared for: what one pass over a weight usually serves (architecture, "Kernel choice"). */
export const PANELS = 2;

/** Forms whose modelled costs lie this close are a tie. */
const TIE = 1.15;
/** A form that is modelled to be slower must be measured this much faster to be taken: what is less is noise. */
const CLEARLY = 1.03;

const SPARSE_FORMATS: ReadonlySet<WeightFormat> = new Set(['sparse4x1', 'compressed4x1']);
const isSparse = ({ format }: LinearCandidate): boolean => SPARSE_FORMATS.has(format);

/**
 * Chooses how a weight is stored: f32 and bf16 by its zeros, s8 by what the kernels of this CPU would take (architecture, "Kernel choice").
 *
 * @param time  measures s8 forms between which the costs see a tie; they all give the same bits. Without it nothing is measured.
 */
export function chooseFormat(weight: WeightView, dtype: 'f32' | 'bf16' | 's8', options: DecideOptions, time?: TimeFormats): FormatChoice {
  const { sparse, zeroRatio, reason } = decideSparse(weight, options);
  if (dtype !== 's8') {
    const gain = sparse ? expectedGain(zeroRatio, weight.in, options.breakEven) : 1;
    return { format: sparse ? 'sparse4x1' : 'dense', sparse, zeroRatio, reason, gain };
  }
  const { out, in: inputs } = weight;
  const blocks = Math.round((1 - zeroRatio) * Math.ceil(out / 4) * inputs);
  const auto = (options.policy ?? 'auto') === 'auto';
  const all = kernels().linearCandidates(out, inputs, blocks, PANELS);
  const allowed = auto ? all : all.filter((candidate) => isSparse(candidate) === sparse);
  const ties = allowed.filter(({ cycles }) => cycles <= TIE * allowed[0]!.cycles);
  const seconds = time && ties.length > 1 ? time(weight, zeroRatio, ties) : undefined;
  const best = seconds ? fastest(ties, seconds) : allowed[0]!;
  const speed = speedOver(seconds);
  const dense = all.find((candidate) => !isSparse(candidate))!;
  const choice = { format: best.format, sparse: isSparse(best), zeroRatio, gain: speed(best, dense).times };
  if (out % 4 !== 0) return { ...choice, reason };
  const zeros = `${(zeroRatio * 100).toFixed(1)}% of its 4x1 blocks are zero`;
  // What it is compared with: the best of the other kind, or where the policy has left one kind only, the best of the others.
  const other = auto ? (choice.sparse ? dense : all.find(isSparse)!) : ties.find((candidate) => candidate !== best);
  if (!other || (!auto && !seconds)) return { ...choice, reason };
  const { times, measured } = speed(best, other);
  const compared = `${best.kernel} ${measured ? 'measured' : 'modelled'} ${times.toFixed(2)}× as fast as ${other.kernel}`;
  return { ...choice, reason: `${auto ? zeros : reason}: ${compared}` };
}

/** The modelled best, unless others are clearly faster. */
function fastest(ties: readonly LinearCandidate[], seconds: ReadonlyMap<WeightFormat, number>): LinearCandidate {
  const of = ({ format }: LinearCandidate): number => seconds.get(format)!;
  const winner = ties.reduce((best, candidate) => (of(candidate) < of(best) ? candidate : best));
  return of(ties[0]!) > CLEARLY * of(winner) ? winner : ties[0]!;
}

/** How many times as fast one form is as another: measured where both were, else modelled. */
const speedOver =
  (seconds: ReadonlyMap<WeightFormat, number> | undefined) =>
  (one: LinearCandidate, other: LinearCandidate): { times: number; measured: boolean } => {
    const [a, b] = [seconds?.get(one.format), seconds?.get(other.format)];
    return a !== undefined && b !== undefined ? { times: b / a, measured: true } : { times: other.cycles / one.cycles, measured: false };
  };
