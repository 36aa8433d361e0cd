import type { Tensor } from '@neural-engine/core';
import { evaluateGraph, Graph, inferShapes, verifyGraph } from '@neural-engine/ir';
import { describe, expect, it } from 'vitest';
import { quantizeDynamic } from './index';

const f32 = (dims: number[], values: ArrayLike<number>): Tensor => ({ dtype: 'f32', dims, data: Float32Array.from(values) });
const wave = (n: number, seed: number): number[] => Array.from({ length: n }, (_, i) => Math.sin(i * 12.9898 + seed) * 0.4);

/** x [batch, 4, 16] → two products that share their input, a sum with a residual behind them, a head of two outputs. */
function sample(): Graph {
  const graph = new Graph('sample');
  graph.addValue({ name: 'x', dtype: 'f32', shape: ['batch', 4, 16] });
  graph.inputs = ['x'];
  const product = (name: string, x: string, n: number, extra: { residual?: string; activation?: string } = {}): string => {
    graph.addValue({ name, dtype: 'f32', shape: ['batch', 4, n] });
    const [weight, bias] = [
      graph.addConstant(
        `${name}_w`,
        f32(
          [16, n],
          wave(16 * n, n).map((w) => w + 0.1),
        ),
      ),
      graph.addConstant(`${name}_b`, f32([n], wave(n, 5))),
    ];
    graph.nodes.push({
      name: `${name}_node`,
      op: 'InnerProduct',
      inputs: [x, weight, bias, ...(extra.residual ? [extra.residual] : [])],
      outputs: [name],
      attributes: { transposed: false, activation: extra.activation ?? 'none', output_dtype: 'f32' },
    });
    return name;
  };
  const [a, b] = [product('a', 'x', 16, { activation: 'gelu_erf' }), product('b', 'x', 16)];
  product('logits', product('sum', a, 16, { residual: b }), 2);
  graph.outputs = ['logits', 'sum'];
  inferShapes(graph);
  return graph;
}

/** Tokens whose values differ by four orders of magnitude: one range for all would lose the small ones. */
const feeds: Record<string, Tensor> = {
  x: f32(
    [2, 4, 16],
    wave(128, 3).map((value, i) => value * 10 ** ((Math.floor(i / 16) % 5) - 2) + (i % 7 === 0 ? 0.001 : 0)),
  ),
};

function distance(a: Graph, b: Graph, output: string): number {
  const [want, got] = [a, b].map((graph) => evaluateGraph(graph, feeds).get(output)!.data as Float32Array);
  return Math.sqrt(want!.reduce((sum, value, i) => sum + (value - got![i]!) ** 2, 0) / want!.reduce((sum, value) => sum + value ** 2, 0));
}

describe('dynamic int8', () => {
  it('computes nearly what the f32 graph computes, token by token', () => {
    const graph = sample();
    const int8 = quantizeDynamic(graph);
    inferShapes(int8);
    verifyGraph(int8);
    expect(int8.nodes.map(({ op }) => op)).toEqual([
      'DynamicQuantize',
      'InnerProduct',
      'InnerProduct',
      'DynamicQuantize',
      'InnerProduct',
      'InnerProduct',
    ]);
    expect(int8.constant(int8.nodes.at(-1)!.inputs[1])!.dtype).toBe('f32');
    expect(distance(graph, int8, 'sum')).toBeGreaterThan(0);
    expect(distance(graph, int8, 'sum')).toBeLessThan(0.01);
  });
  it.each([
    ['a swapped scale', 'step'],
    ['a zero point off by one', 'zero'],
    ['a missing correction', 'correction'],
  ] as const)('would show %s', (_, defect) => {
    const int8 = quantizeDynamic(sample());
    inferShapes(int8);
    const tokens = (value: (i: number) => number): string =>
      int8.addConstant(
        'planted',
        f32(
          [2, 4, 1],
          Array.from({ length: 8 }, (__, i) => value(i)),
        ),
      );
    const product = int8.nodes.find((node) => node.name === 'b_node')!;
    const [step, zero] = product.inputs.slice(12).map((name) => evaluateGraph(int8, feeds).get(name)!.data as Float32Array);
    if (defect === 'step') product.inputs[12] = tokens((i) => step![7 - i]!);
    else product.inputs[13] = tokens((i) => (defect === 'zero' ? zero![i]! + 1 : 0));
    expect(distance(sample(), int8, 'sum')).toBeGreaterThan(2 * distance(sample(), quantizeDynamic(sample()), 'sum'));
  });
  it('leaves what the recipe keeps, and the source graph', () => {
    const graph = sample();
    const kept = quantizeDynamic(graph, { keep: ['a_node', 'b_node'] });
    expect(kept.nodes.map(({ op }) => op)).toEqual(['InnerProduct', 'InnerProduct', 'DynamicQuantize', 'InnerProduct', 'InnerProduct']);
    expect(graph.nodes).toHaveLength(4);
    expect(() => quantizeDynamic(graph, { keep: ['nobody'] })).toThrow(/"nobody"/);
  });
  it('rounds to bf16 what the recipe puts there', () => {
    const mixed = quantizeDynamic(sample(), { layers: { b_node: 'bf16' } });
    const dtypes = mixed.nodes.filter(({ op }) => op === 'InnerProduct').map((node) => mixed.constant(node.inputs[1])!.dtype);
    expect(dtypes).toEqual(['s8', 'bf16', 's8', 'f32']);
  });
  it('refuses a graph that is quantised already (Q9) and a weight that is not finite (Q1)', () => {
    const int8 = quantizeDynamic(sample());
    expect(() => quantizeDynamic(int8)).toThrow(expect.objectContaining({ code: 'E_QUANT', where: 'x/quantize' }));
    const graph = sample();
    (graph.constant('a_w')!.data as Float32Array)[3] = Number.NaN;
    expect(() => quantizeDynamic(graph)).toThrow(expect.objectContaining({ code: 'E_QUANT' }));
  });
});
