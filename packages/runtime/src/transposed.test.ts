import type { Tensor } from '@neural-engine/core';
import { Graph, inferShapes } from '@neural-engine/ir';
import { transposeGraph } from '@neural-engine/transpose';
import { describe, expect, it } from 'vitest';
import { Model } from './index';

const f32 = (dims: number[], values: ArrayLike<number>): Tensor => ({ dtype: 'f32', dims, data: Float32Array.from(values) });
const wave = (n: number, seed: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(i * 78.233 + seed));
const WIDTH = 16;

/** Two 8-bit products with sparse weights around a normalisation, and one with a dense weight behind them. */
function sample(): Graph {
  const graph = new Graph('sample');
  graph.addValue({ name: 'x', dtype: 'f32', shape: ['batch', 'sequence', WIDTH] });
  graph.inputs = ['x'];
  const constant = (name: string, values: ArrayLike<number>): string => graph.addConstant(name, f32([values.length], values));
  const [min, max] = [constant('min', [-4]), constant('max', [4])];
  const [weightMin, weightMax] = [
    constant(
      'weight_min',
      wave(WIDTH, 5).map(() => -0.3),
    ),
    constant(
      'weight_max',
      wave(WIDTH, 5).map(() => 0.3),
    ),
  ];
  const node = (op: string, inputs: string[], output: string, attributes = {}): void => {
    graph.addValue({ name: output, dtype: op === 'Quantize' ? 'u8' : 'f32', shape: undefined });
    graph.nodes.push({ name: `make_${output}`, op, inputs, outputs: [output], attributes });
  };
  const product = (x: string, output: string, isZero: (k: number, n: number) => boolean, residual = ''): void => {
    const codes = Int8Array.from({ length: WIDTH * WIDTH }, (_, i) =>
      isZero(Math.floor(i / WIDTH), i % WIDTH) ? 0 : Math.round(Math.sin(i) * 126) || 1,
    );
    const weight = graph.addConstant(`${output}_weight`, { dtype: 's8', dims: [WIDTH, WIDTH], data: codes });
    const inputs = [x, weight, constant(`${output}_bias`, wave(WIDTH, 2)), residual, min, max, weightMin, weightMax];
    node('InnerProduct', inputs, output);
  };
  const quantize = (x: string): string => {
    node('Quantize', [x, min, max], `${x}_u8`, { dtype: 'u8' });
    return `${x}_u8`;
  };
  const isBlockZero = (k: number, n: number): boolean => (k + Math.floor(n / 4)) % 4 !== 0;
  product(quantize('x'), 'a', isBlockZero, 'x');
  node('LayerNorm', ['a', constant('scale', wave(WIDTH, 3)), constant('shift', wave(WIDTH, 4))], 'b', { epsilon: 1e-5 });
  product(quantize('b'), 'c', isBlockZero, 'b');
  product(quantize('c'), 'd', () => false);
  graph.outputs = ['c', 'd'];
  inferShapes(graph);
  return graph;
}

describe('a transposed graph', () => {
  it('gives the same bits as the plain one', async () => {
    const graph = sample();
    const { graph: transposed } = transposeGraph(graph);
    expect(transposed.nodes.filter(({ op }) => op === 'Reorder').length).toBe(2);
    const feeds = { x: f32([2, 7, WIDTH], wave(2 * 7 * WIDTH, 1)) };
    const [expected, got] = await Promise.all(
      [graph, transposed].map(async (source) => {
        const session = await (await Model.fromGraph(source)).session();
        try {
          return await session.run(feeds);
        } finally {
          await session.close();
        }
      }),
    );
    expect(got).toEqual(expected);
  });

  it('says which value it cannot give back as rows', async () => {
    const session = await (await Model.fromGraph(sample())).session();
    const feeds = { x: f32([1, 3, WIDTH], wave(3 * WIDTH, 1)) };
    await expect(session.run(feeds, { taps: ['b_u8'] })).rejects.toMatchObject({
      code: 'E_UNSUPPORTED',
      where: 'b_u8',
      message: expect.stringContaining('kept as 8-bit codes'),
    });
    // The session goes on, and the value it is made from can be had.
    expect(Object.keys(await session.run(feeds, { taps: ['b'] }))).toEqual(['c', 'd', 'b']);
    await session.close();
  });
});
