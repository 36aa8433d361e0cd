import { DEFAULT_BREAK_EVEN, type DecideOptions, decideSparse, type SparseDecision } from './decide';
import { BLOCKS, type BlockName, type WeightView, zeroBlockRatio } from './measure';

/** What is known of one weight's zeros, and what follows. */
export interface WeightReport {
  /** Share of zero blocks of each shape; `1x1` is the share of zero elements. */
  readonly ratios: Readonly<Record<BlockName, number>>;
  /** The largest block shape that its zeros come in; `1x1` where they are scattered, null without zeros to speak of. */
  readonly pattern: BlockName | null;
  readonly decision: SparseDecision;
  /** Speed to expect over the dense kernel, from density alone and never from timing; 1 where the weight runs dense. */
  readonly expectedGain: number;
  /** Bytes that the packed sparse form saves over the dense one, both s8; 0 where the weight runs dense. */
  readonly savedBytes: number;
}

/** Of two shapes with equal claim the later one is taken. */
const BY_SIZE: readonly BlockName[] = ['1x1', '1x4', '4x1', '1x16', '16x1', '4x16'];
/** A shape explains the zeros when so much of their share is left when whole blocks are counted. */
const EXPLAINS = 0.97;
const FEW_ZEROS = 0.05;
/** One group of the packed form: 16 weights of four inputs with their four indices. */
const GROUP = { blocks: 4, bytes: 24 };

/**
 * Speed of a 4x1 kernel over a dense one that the break-even point implies: both are equally fast at `breakEven` zeros, so that half of
 * that density is twice as fast.
 *
 * @param zeroRatio  share of zero 4x1 blocks.
 * @param inputs     columns of the weight; a row of blocks costs one product at least.
 */
export function expectedGain(zeroRatio: number, inputs: number, breakEven = DEFAULT_BREAK_EVEN): number {
  return (1 - breakEven) / Math.max(1 - zeroRatio, 1 / inputs);
}

/** Measures a weight over every block shape and decides on its kernel, by its zeros alone. */
export function describeWeight(weight: WeightView, options: DecideOptions = {}): WeightReport {
  const ratios = Object.fromEntries(Object.entries(BLOCKS).map(([name, block]) => [name, zeroBlockRatio(weight, block)])) as Record<
    BlockName,
    number
  >;
  const pattern = ratios['1x1'] < FEW_ZEROS ? null : BY_SIZE.findLast((name) => ratios[name] >= EXPLAINS * ratios['1x1'])!;
  const decision = decideSparse(weight, options);
  if (!decision.sparse) return { ratios, pattern, decision, expectedGain: 1, savedBytes: 0 };
  const blocks = (1 - decision.zeroRatio) * (weight.out / 4) * weight.in;
  const packed = Math.ceil(blocks / GROUP.blocks) * GROUP.bytes;
  const gain = expectedGain(decision.zeroRatio, weight.in, options.breakEven);
  return { ratios, pattern, decision, expectedGain: gain, savedBytes: Math.max(0, weight.out * weight.in - packed) };
}
