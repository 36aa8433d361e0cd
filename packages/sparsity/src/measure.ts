import { EngineError, type TypedArray } from '@neural-engine/core';

/** Rows × columns of a block of a weight seen as [out, in]: "4x1" is four output channels at one input. */
export interface Block {
  readonly rows: number;
  readonly cols: number;
}

/** The block shapes that kernels exist or have existed for. */
export const BLOCKS = {
  '1x1': { rows: 1, cols: 1 },
  '4x1': { rows: 4, cols: 1 },
  '1x4': { rows: 1, cols: 4 },
  '1x16': { rows: 1, cols: 16 },
  '16x1': { rows: 16, cols: 1 },
  '4x16': { rows: 4, cols: 16 },
} as const;
export type BlockName = keyof typeof BLOCKS;

/** A weight as stored: `transposed` weights are [out, in], others [in, out]. */
export interface WeightView {
  readonly data: TypedArray;
  readonly out: number;
  readonly in: number;
  readonly transposed: boolean;
}

/**
 * Share of `block`-shaped blocks that hold only zeros, 0 to 1. Blocks at the edge may be smaller.
 *
 * @throws {EngineError} E_SHAPE the data does not hold out × in elements.
 */
export function zeroBlockRatio(weight: WeightView, block: Block): number {
  const { data, out, in: inputs, transposed } = weight;
  if (data.length !== out * inputs)
    throw new EngineError('E_SHAPE', 'check', `a weight of ${out} × ${inputs} needs ${out * inputs} elements, got ${data.length}`);
  const blockRows = Math.ceil(out / block.rows);
  const blockCols = Math.ceil(inputs / block.cols);
  if (blockRows * blockCols === 0) return 0;
  const used = new Uint8Array(blockRows * blockCols);
  // Walk memory in order; an element marks the block it lies in.
  const [outer, inner] = transposed ? [out, inputs] : [inputs, out];
  const [outerBlock, innerBlock] = transposed ? [block.rows, block.cols] : [block.cols, block.rows];
  const [outerStride, innerStride] = transposed ? [blockCols, 1] : [1, blockCols];
  for (let i = 0, at = 0; i < outer; i++) {
    const base = Math.floor(i / outerBlock) * outerStride;
    for (let j = 0; j < inner; j++, at++) {
      const element = data[at]!;
      // A bigint zero is not equal to 0 by identity, hence the loose truth test.
      if (element) used[base + Math.floor(j / innerBlock) * innerStride] = 1;
    }
  }
  let zero = 0;
  for (const mark of used) zero += 1 - mark;
  return zero / used.length;
}
