import { describe, expect, it } from 'vitest';
import { BLOCKS, pruneBlocks, zeroBlockRatio } from './index';

const wave = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898 + 1) * ((i % 7) + 1));
const apply = (data: Float32Array, mask: Uint8Array): Float32Array => data.map((value, i) => (mask[i] ? 0 : value));

describe('pruneBlocks', () => {
  it.each([
    ['4x1', 0.8],
    ['1x4', 0.5],
    ['4x16', 0.25],
    ['4x1', 0],
    ['4x1', 1],
  ] as const)('leaves the share of zero %s blocks that was asked for: %s', (name, sparsity) => {
    const weight = { data: wave(32 * 40), out: 32, in: 40, transposed: true };
    const { mask } = pruneBlocks(weight, { block: BLOCKS[name], sparsity });
    const blocks = (32 / BLOCKS[name].rows) * Math.ceil(40 / BLOCKS[name].cols);
    const data = apply(weight.data, mask);
    expect(zeroBlockRatio({ ...weight, data }, BLOCKS[name])).toBeCloseTo(Math.round(sparsity * blocks) / blocks, 10);
  });
  it('keeps the largest blocks, and says how much is left', () => {
    // [out 4, in 3]: squared sums 4, 36 and 16.
    const data = Float32Array.from([1, 3, 2, 1, 3, 2, 1, 3, 2, 1, 3, 2]);
    const { mask, kept } = pruneBlocks({ data, out: 4, in: 3, transposed: true }, { block: BLOCKS['4x1'], sparsity: 1 / 3 });
    expect([...mask]).toEqual([1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0]);
    expect(kept).toBeCloseTo(52 / 56, 10);
  });
  it('weighs by the size of the inputs', () => {
    // By size alone the first input would go: 1 against 9 and 4.
    const data = Float32Array.from(new Array(4).fill([1, 3, 2]).flat());
    const { mask } = pruneBlocks(
      { data, out: 4, in: 3, transposed: true },
      { block: BLOCKS['4x1'], sparsity: 1 / 3, inputSizes: [10, 1, 2] },
    );
    expect([...mask.slice(0, 3)]).toEqual([0, 1, 0]);
  });
  it('reads both storage orders alike', () => {
    const [out, inputs] = [8, 6];
    const data = wave(out * inputs);
    const turned = data.map((_, i) => data[(i % out) * inputs + Math.floor(i / out)]!);
    const options = { block: BLOCKS['4x1'], sparsity: 0.5 };
    const a = pruneBlocks({ data, out, in: inputs, transposed: true }, options);
    const b = pruneBlocks({ data: turned, out, in: inputs, transposed: false }, options);
    expect([...b.mask]).toEqual([...b.mask].map((_, i) => a.mask[(i % out) * inputs + Math.floor(i / out)]));
    expect(b.kept).toBeCloseTo(a.kept, 12);
  });
  it('drops the later of equal blocks, and takes zeros that are there already first', () => {
    const data = Float32Array.from(new Array(4).fill([1, 0, 1, 1]).flat());
    const { mask } = pruneBlocks({ data, out: 4, in: 4, transposed: true }, { block: BLOCKS['4x1'], sparsity: 0.5 });
    expect([...mask.slice(0, 4)]).toEqual([0, 1, 0, 1]);
  });
  it.each([
    [{ sparsity: 1.1 }, 'expected a share from 0 to 1'],
    [{ sparsity: Number.NaN }, 'expected a share from 0 to 1'],
    [{ sparsity: 0.5, inputSizes: [1] }, 'expected 2 numbers, got 1'],
  ])('refuses %o', (options, message) => {
    expect(() => pruneBlocks({ data: wave(8), out: 4, in: 2, transposed: true }, { block: BLOCKS['4x1'], ...options })).toThrow(message);
  });
});
