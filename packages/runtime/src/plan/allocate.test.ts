import { describe, expect, it } from 'vitest';
import { allocate, type Lifetime } from './allocate';

/** Pairs that live together and overlap in memory. */
function clashes(blocks: readonly Lifetime[], offsets: readonly number[]): [number, number][] {
  const found: [number, number][] = [];
  blocks.forEach((a, i) => {
    blocks.slice(i + 1).forEach((b, j) => {
      const together = a.first <= b.last && b.first <= a.last;
      const overlap = offsets[i]! < offsets[i + 1 + j]! + b.bytes && offsets[i + 1 + j]! < offsets[i]! + a.bytes;
      if (together && overlap) found.push([i, i + 1 + j]);
    });
  });
  return found;
}

describe('allocate', () => {
  it('reuses memory of what is dead and aligns to 64 bytes', () => {
    const chain = [0, 1, 2, 3].map((at) => ({ bytes: 100, first: at, last: at + 1 }));
    const { offsets, bytes } = allocate(chain);
    expect(clashes(chain, offsets)).toEqual([]);
    expect(bytes).toBe(256);
    expect(offsets.every((offset) => offset % 64 === 0)).toBe(true);
  });
  it('never lets blocks that live together overlap', () => {
    let seed = 12345;
    const next = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return seed % below;
    };
    for (let round = 0; round < 50; round++) {
      const blocks = Array.from({ length: 40 }, () => {
        const first = next(30);
        return { bytes: 1 + next(5000), first, last: first + next(6) };
      });
      const { offsets, bytes } = allocate(blocks);
      expect(clashes(blocks, offsets)).toEqual([]);
      expect(bytes).toBe(Math.max(...blocks.map((block, i) => offsets[i]! + Math.ceil(block.bytes / 64) * 64)));
    }
  });
});
