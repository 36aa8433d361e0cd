export {
  checkPolicy,
  DEFAULT_BREAK_EVEN,
  DEFAULT_THRESHOLD,
  type DecideOptions,
  decideSparse,
  SPARSE_POLICIES,
  type SparseDecision,
  type SparsePolicy,
} from './decide';
export { cornerGrid, type DensityGrid, densityGrid } from './density-grid';
export { describeWeight, expectedGain, type WeightReport } from './describe';
export { BLOCKS, type Block, type BlockName, type WeightView, zeroBlockRatio } from './measure';
export { type PruneOptions, type PruneResult, pruneBlocks } from './prune';
