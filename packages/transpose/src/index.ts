export type { Layout, TransposeDecision } from './decision';
export { type TransposeOptions, type TransposeResult, transposeGraph } from './transpose-graph';
