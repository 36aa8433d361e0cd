import type { Tensor } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { expectSameOutputs, expectUnchanged, type GraphBuilder, graphOf, opsOf, runAll } from '../__fixtures__/build-graph';
import { foldConstants } from './fold-constants';
import { absorbBias } from './fuse-inner-product';
import { lowerBf16MatMul, lowerBf16Product } from './lower-bf16-product';

const ALL = [foldConstants, lowerBf16Product, lowerBf16MatMul, absorbBias];
const [K, N] = [6, 4];
const x = (b: GraphBuilder): string => b.input('x', 'f32', ['batch', K]);
const cast = (b: GraphBuilder, value: string, to: string): string => b.op('Cast', [value], { to });
const rounded = (b: GraphBuilder): string => cast(b, cast(b, x(b), 'bf16'), 'f32');
const bits = (dims: number[]): Tensor => ({
  dtype: 'bf16',
  dims,
  data: Uint16Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => 0x3f80 + i * 3 + (i % 2) * 0x8000),
});

describe('products on bf16', () => {
  it.each<[string, (b: GraphBuilder) => string, boolean]>([
    ['a weight cast to f32', (b) => b.op('MatMul', [rounded(b), cast(b, b.constant(bits([K, N])), 'f32')]), false],
    [
      'a weight of f32 whose values are bf16',
      (b) => b.op('MatMul', [rounded(b), b.constant({ dtype: 'f32', dims: [K, N], data: new Float32Array(K * N).fill(1.5) })]),
      false,
    ],
    [
      'Gemm with a bias',
      (b) => b.op('Gemm', [rounded(b), cast(b, b.constant(bits([N, K])), 'f32'), b.weight([N], 2)], { transB: 1 }),
      true,
    ],
    ['a bias after', (b) => b.op('Add', [b.op('MatMul', [rounded(b), cast(b, b.constant(bits([K, N])), 'f32')]), b.weight([N], 2)]), false],
  ])('takes %s', (_, build, transposed) => {
    const before = graphOf(build);
    const after = runAll(ALL, before);
    expect(opsOf(after)).toEqual(['InnerProduct']);
    expect(after.constant(after.nodes[0]!.inputs[1])!.dtype).toBe('bf16');
    expect(after.nodes[0]!.attributes['transposed']).toBe(transposed);
    expectSameOutputs(before, after, { maxAbs: 1e-6 });
  });
  it('shares the rounded input among several products', () => {
    const after = runAll(
      ALL,
      graphOf((b) => {
        const input = rounded(b);
        const weight = cast(b, b.constant(bits([K, N])), 'f32');
        return b.op('Add', [b.op('MatMul', [input, weight]), b.op('Tanh', [b.op('MatMul', [input, weight])])]);
      }),
    );
    expect(opsOf(after).filter((op) => op === 'InnerProduct')).toHaveLength(2);
    expect(opsOf(after)).not.toContain('MatMul');
  });
  it('takes a MatMul in bf16 and leaves out the rounding of its result', () => {
    const before = graphOf((b) => cast(b, b.op('MatMul', [cast(b, x(b), 'bf16'), b.constant(bits([K, N]))]), 'f32'));
    const after = runAll(ALL, before);
    expect(opsOf(after)).toEqual(['InnerProduct']);
    expectSameOutputs(before, after, { maxAbs: 0.05 });
  });
  it('leaves alone a weight that rounding would change, and an input that is not rounded', () => {
    const ones = (b: GraphBuilder): string => b.constant({ dtype: 'f32', dims: [K, N], data: new Float32Array(K * N).fill(1) });
    expectUnchanged(
      lowerBf16Product,
      graphOf((b) => b.op('MatMul', [rounded(b), b.weight([K, N])])),
    );
    expectUnchanged(
      lowerBf16Product,
      graphOf((b) => b.op('MatMul', [x(b), ones(b)])),
    );
  });
});
