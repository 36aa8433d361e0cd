import type { Tensor } from '@neural-engine/core';
import type { Graph } from '@neural-engine/ir';
import { describe, expect, it } from 'vitest';
import { feedsFor, type GraphBuilder, graphOf, noise, opsOf } from '../__fixtures__/build-graph';
import { distance, runGraph } from '../__fixtures__/run-graph';
import { type CompileOptions, compile } from '../compile';

const [K, N] = [8, 6];
const pair = (b: GraphBuilder, x: string, scale: number, zero: number, dtype: 'u8' | 's8' = 'u8'): string => {
  const point: Tensor = { dtype, dims: [], data: dtype === 'u8' ? Uint8Array.of(zero) : Int8Array.of(zero) };
  const [s, z] = [b.scalar(scale), b.constant(point)];
  return b.op('DequantizeLinear', [b.op('QuantizeLinear', [x, s, z]), s, z]);
};
const weight = (b: GraphBuilder, k = K, n = N, seed = 5, zero = 0): string => {
  const data = Int8Array.from(noise(k * n, seed), (value) => Math.round(value * 100));
  const [scale, point]: Tensor[] = [
    { dtype: 'f32', dims: [n], data: Float32Array.from({ length: n }, (_, i) => (i + 1) / 500) },
    { dtype: 's8', dims: [n], data: new Int8Array(n).fill(zero) },
  ];
  return b.op('DequantizeLinear', [b.constant({ dtype: 's8', dims: [k, n], data }), b.constant(scale!), b.constant(point!)], { axis: 1 });
};
const x = (b: GraphBuilder): string => b.input('x', 'f32', ['batch', 'seq', K]);

const kept = (graph: Graph, options: CompileOptions = {}): Graph => compile(graph, { rounding: 'file', ...options });

/** How far a compiled graph is from the file's own arithmetic. */
function error(before: Graph, after: Graph): number {
  const feeds = feedsFor(before, { batch: 2, seq: 4 });
  const [want, got] = [runGraph(before, feeds), runGraph(after, feeds)];
  return Math.max(...after.outputs.map((name) => distance(got.get(name)!, want.get(name)!)));
}

describe('with the roundings of a file kept', () => {
  it.each(['u8', 's8'] as const)('a product codes its result as %s and is biased behind', (dtype) => {
    const before = graphOf((b) => {
      const y = b.op('MatMul', [pair(b, x(b), 0.01, dtype === 'u8' ? 100 : -28, dtype), weight(b)]);
      return b.op('Add', [pair(b, y, 0.03, dtype === 'u8' ? 120 : -8, dtype), b.weight([N], 3)]);
    });
    const after = kept(before);
    expect(opsOf(after)).toEqual(['Quantize', 'InnerProduct', 'Dequantize']);
    expect(after.nodes[1]!.attributes).toMatchObject({ output_dtype: 'u8' });
    expect(after.nodes[2]!.inputs).toHaveLength(4);
    expect(error(before, after)).toBeLessThan(1e-5);
    // Fused, the rounding of the result is left out: half a step of it.
    expect(error(before, compile(before))).toBeGreaterThan(0.01);
  });

  it('a product that is rounded to bf16 before it is coded keeps both roundings', () => {
    const before = graphOf((b) => {
      const y = b.op('MatMul', [pair(b, x(b), 0.01, 100), weight(b)]);
      return pair(b, b.op('Cast', [b.op('Cast', [y], { to: 'bf16' })], { to: 'f32' }), 0.03, 120);
    });
    const after = kept(before);
    expect(opsOf(after)).toEqual(['Quantize', 'InnerProduct', 'Quantize', 'Dequantize']);
    expect(after.nodes[1]!.attributes).toMatchObject({ rounding: 'bf16' });
    expect(error(before, after)).toBeLessThan(1e-5);
  });

  it('a residual reads codes', () => {
    const before = graphOf((b) => {
      const q = pair(b, b.op('LayerNormalization', [x(b), b.weight([K])]), 0.02, 128);
      return b.op('Add', [b.op('MatMul', [q, weight(b, K, K)]), q]);
    });
    const after = kept(before);
    expect(opsOf(after)).toEqual(['LayerNorm', 'Quantize', 'Dequantize', 'InnerProduct']);
    expect(after.nodes[3]!.inputs[3]).toBe(after.nodes[2]!.outputs[0]);
    expect(error(before, after)).toBeLessThan(1e-5);
  });

  it('an activation is coded by its product where its argument is not', () => {
    const before = graphOf((b) => {
      const hidden = b.op('Relu', [b.op('MatMul', [pair(b, x(b), 0.01, 100), weight(b)])]);
      return b.op('MatMul', [pair(b, hidden, 0.02, 0), weight(b, N, 3, 6)]);
    });
    const after = kept(before);
    expect(opsOf(after)).toEqual(['Quantize', 'InnerProduct', 'InnerProduct']);
    expect(after.nodes[1]!.attributes).toMatchObject({ activation: 'relu', output_dtype: 'u8' });
    expect(error(before, after)).toBeLessThan(1e-5);
  });

  it('an operator file is read as a Q/DQ file', () => {
    const before = graphOf((b) => {
      const u8 = (zero: number): string => b.constant({ dtype: 'u8', dims: [], data: Uint8Array.of(zero) });
      const s8 = b.constant({ dtype: 's8', dims: [], data: Int8Array.of(0) });
      const w = b.constant({ dtype: 's8', dims: [K, N], data: Int8Array.from(noise(K * N, 5), (value) => Math.round(value * 100)) });
      const [xs, ys] = [b.scalar(0.01), b.scalar(0.03)];
      const q = b.op('QuantizeLinear', [x(b), xs, u8(100)]);
      const y = b.op('QLinearMatMul', [q, xs, u8(100), w, b.scalar(0.01), s8, ys, u8(120)]);
      return b.op('Add', [b.op('DequantizeLinear', [y, ys, u8(120)]), b.weight([N], 3)]);
    });
    const after = kept(before);
    expect(opsOf(after)).toEqual(['Quantize', 'InnerProduct', 'Dequantize']);
    expect(error(before, after)).toBeLessThan(1e-5);
  });

  it('a product by a weight that is not symmetric multiplies the rounded values in f32', () => {
    const before = graphOf((b) => b.op('MatMul', [pair(b, x(b), 0.01, 100), weight(b, K, N, 5, 3)]));
    const reasons: string[] = [];
    const after = kept(before, { explain: (event) => event.kind === 'declined' && reasons.push(event.reason) });
    expect(opsOf(after)).toEqual(['Quantize', 'Dequantize', 'InnerProduct']);
    expect(reasons).toContain('its weight is not symmetric');
    expect(error(before, after)).toBeLessThan(1e-5);
  });

  const H = 8;
  /** Attention whose every value is coded, the scores before or after their scale. */
  const attention = (b: GraphBuilder, early: boolean): string => {
    const input = pair(b, x(b), 0.01, 128);
    const head = (seed: number, perm: number[], factor = 1): string => {
      const rows = b.op('MatMul', [input, weight(b, K, H, seed)]);
      const heads = b.op('Transpose', [b.op('Reshape', [rows, b.ints(0, 0, 2, 4)])], { perm });
      return pair(b, factor === 1 ? heads : b.op('Mul', [heads, b.scalar(factor)]), 0.004, 128);
    };
    const products = b.op('MatMul', [head(1, [0, 2, 1, 3], 0.5), head(2, [0, 2, 3, 1])]);
    const scores = early
      ? b.op('Mul', [pair(b, products, 0.01, 110), b.scalar(0.7)])
      : pair(b, b.op('Mul', [products, b.scalar(0.7)]), 0.007, 110);
    const context = pair(b, b.op('MatMul', [pair(b, b.op('Softmax', [scores]), 1 / 200, 0), head(3, [0, 2, 1, 3])]), 0.004, 128);
    const merged = b.op('Reshape', [b.op('Transpose', [context], { perm: [0, 2, 1, 3] }), b.ints(0, 0, H)]);
    return b.op('MatMul', [pair(b, merged, 0.004, 128), weight(b, H, 3, 4)]);
  };

  it.each([true, false])('attention rounds what the file rounds, its scores before their scale: %s', (early) => {
    const before = graphOf((b) => attention(b, early));
    const after = kept(before);
    const counts = { Quantize: 2, InnerProduct: 4, Dequantize: 3, Attention: 1 };
    for (const [op, count] of Object.entries(counts))
      expect(
        opsOf(after).filter((each) => each === op),
        op,
      ).toHaveLength(count);
    expect(after.nodes).toHaveLength(10);
    const [, last] = after.nodes.find(({ op }) => op === 'Attention')!.attributes['score_range'] as number[];
    expect(last).toBeCloseTo(145 * 0.007, 6);
    expect(error(before, after)).toBeLessThan(1e-5);
    expect(error(before, compile(before))).toBeGreaterThan(1e-4);
  });
});

it('refuses a rounding that there is not', () => {
  const graph = graphOf((b) => b.op('Relu', [x(b)]));
  expect(() => compile(graph, { rounding: 'none' as 'file' })).toThrow(/rounding is "none"; it is fused or file/);
});
