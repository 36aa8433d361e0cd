import type { Range } from './histogram';

/** The range of a value for one code over all of it, and better ones for its channels where calibration found them. */
export interface ValueRange extends Range {
  /** Of a LayerNorm's result: the range of the value times one multiplier a channel, by which the weights that read it are divided. */
  readonly balanced?: { readonly multipliers: Float32Array; readonly range: Range };
  /** Of an activation between two products, and of the value before it: some channels by a range of their own, and the others. */
  readonly parts?: { readonly channels: readonly number[]; readonly outliers: Range; readonly rest: Range };
}
