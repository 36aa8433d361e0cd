import type { Tensor } from '@neural-engine/core';
import { Graph, inferShapes } from '@neural-engine/ir';
import { Model } from '../../model';

/** y = exp(x · W)⋯ on `[batch, sequence, 8]`: small, but `depth` products of width 8 make a run as long as a test needs it. */
export function chain(depth: number): Promise<Model> {
  const graph = new Graph('chain');
  graph.addValue({ name: 'x', dtype: 'f32', shape: ['batch', 'sequence', 8] });
  graph.inputs = ['x'];
  const data = Float32Array.from({ length: 64 }, (_, i) => (i % 9 === 0 ? 1 : Math.sin(i) / 16));
  const weight = graph.addConstant('w', { dtype: 'f32', dims: [8, 8], data });
  let from = 'x';
  for (let i = 0; i < depth; i++) {
    const to = i === depth - 1 ? 'y' : `v${i}`;
    graph.addValue({ name: to, dtype: 'f32', shape: undefined });
    const attributes = { transposed: false, activation: 'tanh', output_dtype: 'f32' };
    graph.nodes.push({ name: `product${i}`, op: 'InnerProduct', inputs: [from, weight], outputs: [to], attributes });
    from = to;
  }
  graph.outputs = ['y'];
  inferShapes(graph);
  return Model.fromGraph(graph);
}

/** Feeds of {@link chain} that differ for every seed. */
export function feedsOf(batch: number, sequence: number, seed = 1): { x: Tensor } {
  const data = Float32Array.from({ length: batch * sequence * 8 }, (_, i) => Math.sin(i * 0.7 + seed));
  return { x: { dtype: 'f32', dims: [batch, sequence, 8], data } };
}
