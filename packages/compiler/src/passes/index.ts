export { absorbBf16Rounding } from './absorb-bf16-rounding';
export {
  mergeBatchedTranspose,
  mergeReshapes,
  mergeTransposes,
  mergeUnsqueezes,
  resolveReshape,
  writePermutation,
} from './canonicalize-layout';
export { collectQuantization, expandDynamicQuantization, expandQLinearMatMul } from './collect-quantization';
export { eliminateDeadCode } from './eliminate-dead-code';
export { eliminateNoOps } from './eliminate-no-ops';
export { foldConstants, foldDequantized } from './fold-constants';
export { fuseAttention } from './fuse-attention';
export { fuseEmbeddings } from './fuse-embeddings';
export { fuseGelu, fuseGeluTanh } from './fuse-gelu';
export { absorbActivation, absorbBias, absorbResidual, lowerGemm, lowerMatMul, unflattenProduct } from './fuse-inner-product';
export {
  absorbLayerNormBias,
  absorbLayerNormScale,
  fuseLayerNorm,
  fuseLayerNormFactored,
  lowerLayerNormalization,
  multiplyLayerNorm,
} from './fuse-layer-norm';
export { fusePaddingMask } from './fuse-padding-mask';
export { insertQuantization } from './insert-quantization';
export { absorbDequantizedBias, absorbQuantize, keepRoundings, lowerCodedProduct, mergeRoundings } from './keep-roundings';
export { lowerBf16MatMul, lowerBf16Product } from './lower-bf16-product';
export { mergeDuplicates } from './merge-duplicates';
export { readInputShapes } from './read-input-shapes';
export { unifyTokenShapes } from './unify-token-shapes';
