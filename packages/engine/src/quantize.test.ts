import type { Tensor } from '@neural-engine/core';
import { Graph, inferShapes } from '@neural-engine/ir';
import { describe, expect, it } from 'vitest';
import { quantize } from './quantize';

const [K, N] = [32, 16];

function dense(): Graph {
  const graph = new Graph('dense');
  graph.addValue({ name: 'x', dtype: 'f32', shape: ['batch', K] });
  graph.inputs = ['x'];
  const data = Float32Array.from({ length: N * K }, (_, i) => Math.sin(i));
  const weight = graph.addConstant('weight', { dtype: 'f32', dims: [N, K], data });
  graph.addValue({ name: 'y', dtype: 'f32', shape: undefined });
  graph.nodes.push({ name: 'product', op: 'InnerProduct', inputs: ['x', weight], outputs: ['y'], attributes: { transposed: true } });
  graph.outputs = ['y'];
  inferShapes(graph);
  return graph;
}

const sample = (seed: number): Record<string, Tensor> => ({
  x: { dtype: 'f32', dims: [1, K], data: Float32Array.from({ length: K }, (_, i) => Math.cos(i + seed)) },
});

describe('quantize', () => {
  it('gives an fp32 graph back as it is', async () => {
    const graph = dense();
    expect(await quantize(graph, { precision: 'fp32' })).toEqual({ graph });
  });
  it('calibrates static int8, which is the default', async () => {
    const { graph, calibration } = await quantize(dense(), { samples: [sample(0), sample(1)] });
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Quantize', 'InnerProduct']);
    expect(calibration?.samples).toBe(2);
  });
  it('asks for samples where it needs them', async () => {
    await expect(quantize(dense(), { precision: 'int8' })).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining('samples'),
    });
  });
  it('names the precisions there are', async () => {
    const precision = 'int4' as 'int8';
    await expect(quantize(dense(), { precision })).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringMatching(/int4.*fp32, bf16, int8, dynamic-int8/),
    });
  });
});
