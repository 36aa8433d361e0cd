/** Where a node keeps its activations: tokens-first as in any engine, or features-first as sparse products want them. */
export type Layout = 'plain' | 'transposed';

/** What was decided for one node, and why. */
export interface TransposeDecision {
  readonly node: string;
  readonly op: string;
  readonly layout: Layout;
  /** Share of zero 4x1 blocks of the weight; products with a constant weight only. */
  readonly zeroRatio?: number;
  /** One clause, fit to be printed. */
  readonly reason: string;
}
