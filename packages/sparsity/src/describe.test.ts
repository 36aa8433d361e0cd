import { describe, expect, it } from 'vitest';
import { BLOCKS, type BlockName, describeWeight, pruneBlocks } from './index';

/** [32, 64] without zeros but those of pruned blocks. */
function pruned(block: BlockName, sparsity: number) {
  const data = Float32Array.from({ length: 32 * 64 }, (_, i) => Math.sin(i * 12.9898) * 10 + 11);
  const weight = { data, out: 32, in: 64, transposed: true };
  const { mask } = pruneBlocks(weight, { block: BLOCKS[block], sparsity });
  return { ...weight, data: data.map((value, i) => (mask[i] ? 0 : value)) };
}

describe('describeWeight', () => {
  it.each(['1x1', '1x4', '4x1', '1x16', '16x1', '4x16'] as const)('recognises zeros in %s blocks', (block) => {
    expect(describeWeight(pruned(block, 0.75)).pattern).toBe(block);
  });
  it('sees no pattern in a dense weight, which gains and saves nothing', () => {
    expect(describeWeight(pruned('4x1', 0))).toMatchObject({ pattern: null, expectedGain: 1, savedBytes: 0, decision: { sparse: false } });
  });
  it('expects no gain at the break-even point, and twice the speed at half of its density', () => {
    expect(describeWeight(pruned('4x1', 0.5), { breakEven: 0.5 }).expectedGain).toBeCloseTo(1, 5);
    expect(describeWeight(pruned('4x1', 0.75), { breakEven: 0.5 }).expectedGain).toBeCloseTo(2, 5);
  });
  it('counts the bytes of groups against dense ones', () => {
    // 128 of 512 blocks are left: 32 groups of 24 bytes against 2048.
    expect(describeWeight(pruned('4x1', 0.75)).savedBytes).toBe(2048 - 32 * 24);
  });
});
