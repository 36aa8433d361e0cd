import type { Tensor } from '@neural-engine/core';
import { evaluateGraph, Graph, inferShapes } from '@neural-engine/ir';
import type { GraphRunner } from '../index';

export const f32 = (dims: number[], values: ArrayLike<number>): Tensor => ({ dtype: 'f32', dims, data: Float32Array.from(values) });

/** x [batch, 3, 16] → product with GELU → product with residual, and one attention between them. */
export function sample(): Graph {
  const graph = new Graph('sample');
  graph.addValue({ name: 'x', dtype: 'f32', shape: ['batch', 3, 16] });
  graph.inputs = ['x'];
  const random = (n: number, seed: number): number[] => Array.from({ length: n }, (_, i) => Math.sin(i * 12.9898 + seed) * 0.4);
  const weight = (name: string, k: number, n: number, seed: number): string => graph.addConstant(name, f32([k, n], random(k * n, seed)));
  const bias = (name: string, n: number): string => graph.addConstant(name, f32([n], random(n, 5)));
  const product = (name: string, x: string, w: string, n: number, extra: { residual?: string; activation?: string } = {}): string => {
    graph.addValue({ name, dtype: 'f32', shape: ['batch', 3, n] });
    const inputs = [x, w, bias(`${name}_bias`, n), ...(extra.residual ? [extra.residual] : [])];
    graph.nodes.push({
      name: `${name}_node`,
      op: 'InnerProduct',
      inputs,
      outputs: [name],
      attributes: { transposed: false, activation: extra.activation ?? 'none', output_dtype: 'f32' },
    });
    return name;
  };
  const [q, k, v] = ['q', 'k', 'v'].map((name, i) => product(name, 'x', weight(`w${name}`, 16, 16, i), 16));
  graph.addValue({ name: 'context', dtype: 'f32', shape: ['batch', 3, 16] });
  graph.nodes.push({
    name: 'attention',
    op: 'Attention',
    inputs: [q!, k!, v!],
    outputs: ['context'],
    attributes: { heads: 2, scale: 0.35 },
  });
  const out = product('out', 'context', weight('wo', 16, 16, 3), 16, { residual: 'x' });
  const mid = product('mid', out, weight('w1', 16, 32, 4), 32, { activation: 'gelu_erf' });
  product('y', mid, weight('w2', 32, 16, 5), 16, { residual: out });
  graph.outputs = ['y'];
  inferShapes(graph);
  return graph;
}

export const feeds = (seed: number): Record<string, Tensor> => ({
  x: f32(
    [1, 3, 16],
    Array.from({ length: 48 }, (_, i) => Math.cos(i * 1.7 + seed)),
  ),
});

/** Runs graphs by the schemas' own arithmetic. */
export const exact: GraphRunner = async (graph, names) => ({
  run: async (inputs) => {
    const values = evaluateGraph(graph, inputs);
    return Object.fromEntries(names.map((name) => [name, values.get(name)!]));
  },
  close: async () => undefined,
});
