export { DEFAULT_BREAK_EVEN, DEFAULT_THRESHOLD, type DecideOptions, decideSparse, type SparseDecision, type SparsePolicy } from './decide';
export { BLOCKS, type Block, type BlockName, type WeightView, zeroBlockRatio } from './measure';
