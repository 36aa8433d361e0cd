export { isa } from './isa';
export { ABI, platformTriple } from './load';
export { gemm, PackedMatrix, packDense, packSparse, spmm } from './product';
export { Program } from './program';
export type * from './program-spec';
export { instructionRates } from './rates';
export { NativeSession } from './session';
export type * from './types';
export { type CachedOptions, cachedWeights, openWeights, packWeights, WeightSet, type WeightSource } from './weights';
