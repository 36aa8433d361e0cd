import {
  absorbActivation,
  absorbBias,
  absorbLayerNormBias,
  absorbLayerNormScale,
  absorbResidual,
  collectQuantization,
  eliminateDeadCode,
  eliminateNoOps,
  expandDynamicQuantization,
  expandQLinearMatMul,
  foldConstants,
  foldDequantized,
  fuseAttention,
  fuseEmbeddings,
  fuseGelu,
  fuseGeluTanh,
  fuseLayerNorm,
  fuseLayerNormFactored,
  fusePaddingMask,
  insertQuantization,
  lowerGemm,
  lowerLayerNormalization,
  lowerMatMul,
  mergeBatchedTranspose,
  mergeDuplicates,
  mergeReshapes,
  mergeTransposes,
  mergeUnsqueezes,
  resolveReshape,
  unflattenProduct,
  unifyTokenShapes,
  writePermutation,
} from './passes';
import type { Pass } from './rewrite';

/** A pass and why it stands where it stands. */
export interface PipelineEntry {
  readonly pass: Pass;
  readonly reason: string;
}

const entry = (pass: Pass, reason: string): PipelineEntry => ({ pass, reason });

/**
 * All passes in order: canonicalize → fold → fuse. A pass may stand here more than once; a switch by its name holds for every place.
 */
export const PIPELINE: readonly PipelineEntry[] = [
  entry(unifyTokenShapes, 'all that follows compares shapes'),
  entry(eliminateDeadCode, 'what no output needs would only count as a reader and stand in the way of fusions'),
  entry(eliminateNoOps, 'patterns need not look through operators that do nothing'),
  entry(foldConstants, 'weights behind casts and computed dims become visible as constants'),
  entry(expandQLinearMatMul, 'brings one kind of quantised file into the form of the other'),
  entry(expandDynamicQuantization, 'brings one kind of quantised file into the form of the other'),
  entry(collectQuantization, 'the fusions below look for plain f32 arithmetic'),
  entry(mergeDuplicates, 'exporters repeat shape arithmetic for every layer; the same value should be one value'),
  entry(writePermutation, 'the passes below read permutations'),
  entry(mergeTransposes, 'two exchanges of axes around a product are one'),
  entry(mergeUnsqueezes, 'masks and indices get their dims step by step'),
  entry(resolveReshape, 'frees heads and hidden size from shape arithmetic, which then dies'),
  entry(mergeBatchedTranspose, 'needs resolved dims; must come before its two Reshapes are merged with others'),
  entry(mergeReshapes, 'leaves one Reshape between computations'),
  entry(mergeTransposes, 'merged batches may leave two Transposes in a row'),
  entry(eliminateNoOps, 'resolved dims show which Reshapes change nothing'),
  entry(mergeDuplicates, 'what differed in spelling only is equal now'),
  entry(fusePaddingMask, 'before attention, which takes the mask as one operand'),
  entry(fuseLayerNorm, 'no other pass overlaps with it'),
  entry(fuseLayerNormFactored, 'no other pass overlaps with it'),
  entry(lowerLayerNormalization, 'no other pass overlaps with it'),
  entry(absorbLayerNormScale, 'after the plain form; before the sum, which follows the product'),
  entry(absorbLayerNormBias, 'after the scale'),
  entry(fuseGelu, 'before products take their activations'),
  entry(fuseGeluTanh, 'before products take their activations'),
  entry(fuseEmbeddings, 'sums of gathers, before residual sums are looked for'),
  entry(fuseAttention, 'while products by constants are still told apart from those of activations'),
  entry(lowerMatMul, 'first the bare product'),
  entry(lowerGemm, 'first the bare product'),
  entry(unflattenProduct, 'shows the sums that follow a product of flattened rows'),
  entry(absorbBias, 'a vector is a bias, not a residual'),
  entry(absorbResidual, 'after the bias and before the activation, as the operator computes'),
  entry(absorbBias, 'a bias may follow the residual'),
  entry(absorbActivation, 'last, since nothing is added after it'),
  entry(insertQuantization, 'products and attentions have their final operands now'),
  entry(foldDequantized, 'whatever no quantised operator took runs in f32'),
  entry(mergeDuplicates, 'constants made by fusions may be equal'),
  entry(eliminateDeadCode, 'leaves nothing that no output needs'),
];
