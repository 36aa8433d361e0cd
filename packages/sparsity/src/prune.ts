import { EngineError } from '@neural-engine/core';
import type { Block, WeightView } from './measure';

export interface PruneOptions {
  /** Shape of what is set to zero together. */
  readonly block: Block;
  /** Share of blocks that are zero afterwards, 0 to 1. */
  readonly sparsity: number;
  /** Size of each input feature on real data, one for each input: a weight then counts as |w| · size, else as |w|. */
  readonly inputSizes?: ArrayLike<number>;
}

export interface PruneResult {
  /** 1 for each element to be set to zero, in the order of the weight's data. */
  readonly mask: Uint8Array;
  /** Share of the sum of squared scores that is kept, 0 to 1: how much of the weight is left. */
  readonly kept: number;
}

/**
 * Chooses the blocks of least importance: the score of a block is the sum of its squared weights, each times the squared size of its input.
 *
 * Deterministic: of two equal blocks the later one goes. Blocks at the edge may be smaller and count by their sum all the same.
 *
 * @throws {EngineError} E_USAGE the share is no share, or sizes do not fit the inputs; E_SHAPE the data does not hold out × in elements.
 * @see Sun et al. 2023, "A Simple and Effective Pruning Approach for Large Language Models" (Wanda): the same score, for single weights within a row.
 */
export function pruneBlocks(weight: WeightView, options: PruneOptions): PruneResult {
  const { data, out, in: inputs, transposed } = weight;
  const { block, sparsity, inputSizes } = options;
  if (!(sparsity >= 0 && sparsity <= 1))
    throw new EngineError('E_USAGE', 'usage', `sparsity ${sparsity}: expected a share from 0 to 1`, { where: 'sparsity' });
  if (data.length !== out * inputs)
    throw new EngineError('E_SHAPE', 'check', `a weight of ${out} × ${inputs} needs ${out * inputs} elements, got ${data.length}`);
  if (inputSizes && inputSizes.length !== inputs)
    throw new EngineError('E_USAGE', 'usage', `inputSizes: expected ${inputs} numbers, got ${inputSizes.length}`, { where: 'inputSizes' });
  const [rows, cols] = [Math.ceil(out / block.rows), Math.ceil(inputs / block.cols)];
  const scores = new Float64Array(rows * cols);
  const blockOf = (row: number, col: number): number => Math.floor(row / block.rows) * cols + Math.floor(col / block.cols);
  const forEach = (visit: (at: number, block: number, col: number) => void): void => {
    for (let i = 0, at = 0; i < (transposed ? out : inputs); i++)
      for (let j = 0; j < (transposed ? inputs : out); j++, at++) visit(at, transposed ? blockOf(i, j) : blockOf(j, i), transposed ? j : i);
  };
  forEach((at, index, col) => {
    const size = Number(data[at]) * (inputSizes ? Number(inputSizes[col]) : 1);
    scores[index]! += size * size;
  });
  const dropped = new Uint8Array(scores.length);
  const count = Math.round(sparsity * scores.length);
  if (count > 0) {
    const most = scores.slice().sort()[count - 1]!;
    let left = count;
    for (let i = 0; i < scores.length; i++) if (scores[i]! < most) left -= dropped[i] = 1;
    for (let i = scores.length - 1; left > 0; i--) if (scores[i] === most) left -= dropped[i] = 1;
  }
  const mask = new Uint8Array(data.length);
  forEach((at, index) => {
    mask[at] = dropped[index]!;
  });
  const [all, left] = scores.reduce(([sum, kept], score, i) => [sum! + score, kept! + (dropped[i] ? 0 : score)], [0, 0]);
  return { mask, kept: all! > 0 ? left! / all! : 1 };
}
