/** A block of memory and the first and last moment (inclusive) it must not be shared. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

const ALIGN = 64;
const align = (bytes: number): number => Math.ceil(bytes / ALIGN) * ALIGN;

/**
 * Places blocks so that those alive together do not overlap: largest first, each at the lowest free offset.
 *
 * Greedy by size is within a few per cent of optimal for chains like an encoder's and takes well under a millisecond for a few hundred blocks.
 * @returns the offset of each block, multiples of 64, and the bytes needed in all.
 */
export function allocate(blocks: readonly Lifetime[]): { offsets: number[]; bytes: number } {
  const order = blocks.map((_, i) => i).sort((a, b) => blocks[b]!.bytes - blocks[a]!.bytes || a - b);
  const offsets = new Array<number>(blocks.length).fill(0);
  const placed: number[] = [];
  let total = 0;
  for (const index of order) {
    const block = blocks[index]!;
    const size = align(block.bytes);
    const rivals = placed
      .filter((other) => blocks[other]!.first <= block.last && block.first <= blocks[other]!.last)
      .sort((a, b) => offsets[a]! - offsets[b]!);
    let offset = 0;
    for (const rival of rivals) {
      if (offset + size <= offsets[rival]!) break;
      offset = Math.max(offset, offsets[rival]! + align(blocks[rival]!.bytes));
    }
    offsets[index] = offset;
    placed.push(index);
    total = Math.max(total, offset + size);
  }
  return { offsets, bytes: total };
}
