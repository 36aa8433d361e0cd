import type { Tensor } from '@neural-engine/core';
import { evaluateGraph, Graph, inferShapes, verifyGraph } from '@neural-engine/ir';
import { describe, expect, it } from 'vitest';
import { exact, f32 } from '../__fixtures__/sample';
import { calibrate, quantizeGraph, type Recipe } from '../index';

const [HIDDEN, FFN, OUTLIER, NEURON] = [16, 64, 3, 21];
const wave = (n: number, seed: number): number[] => Array.from({ length: n }, (_, i) => Math.sin(i * 12.9898 + seed) * 0.3);

/** LayerNorm → product with GELU → product with the LayerNorm's result added; one feature and one neuron reach far beyond the others. */
function feedForward(): Graph {
  const graph = new Graph('feed forward');
  for (const [name, width] of Object.entries({ x: HIDDEN, n: HIDDEN, h: FFN, y: HIDDEN }))
    graph.addValue({ name, dtype: 'f32', shape: ['batch', 5, width] });
  const gamma = wave(HIDDEN, 1).map((value, i) => (i === OUTLIER ? 20 : 1 + value));
  const up = wave(FFN * HIDDEN, 2).map((value, i) => (i % HIDDEN === OUTLIER ? value / 20 : value));
  for (let k = 0; k < HIDDEN; k++) up[NEURON * HIDDEN + k]! *= 30;
  const constant = (name: string, dims: number[], data: number[]): string => graph.addConstant(name, f32(dims, data));
  const norm = [constant('gamma', [HIDDEN], gamma), constant('beta', [HIDDEN], wave(HIDDEN, 3))];
  const first = [constant('w1', [FFN, HIDDEN], up), constant('b1', [FFN], wave(FFN, 4))];
  const second = [constant('w2', [HIDDEN, FFN], wave(HIDDEN * FFN, 5)), constant('b2', [HIDDEN], wave(HIDDEN, 6))];
  const product = { transposed: true, output_dtype: 'f32' };
  graph.inputs = ['x'];
  graph.outputs = ['y'];
  graph.nodes.push(
    { name: 'norm', op: 'LayerNorm', inputs: ['x', ...norm], outputs: ['n'], attributes: { epsilon: 1e-5 } },
    { name: 'up', op: 'InnerProduct', inputs: ['n', ...first], outputs: ['h'], attributes: { ...product, activation: 'gelu_erf' } },
    { name: 'down', op: 'InnerProduct', inputs: ['h', ...second, 'n'], outputs: ['y'], attributes: { ...product, activation: 'none' } },
  );
  inferShapes(graph);
  return graph;
}

const feeds = (seed: number): Record<string, Tensor> => ({ x: f32([1, 5, HIDDEN], wave(5 * HIDDEN, seed)) });
const samples = [10, 11, 12, 13, 14, 15].map(feeds);
const quantized = async (recipe: Recipe): Promise<Graph> => {
  const { ranges } = await calibrate(feedForward(), { samples, run: exact, method: 'mse', recipe });
  const graph = quantizeGraph(feedForward(), ranges, recipe);
  inferShapes(graph);
  verifyGraph(graph);
  return graph;
};

function noise(graph: Graph): number {
  const of = (which: Graph): Float32Array => evaluateGraph(which, feeds(20)).get('y')!.data as Float32Array;
  const want = of(feedForward());
  return of(graph).reduce((sum, value, i) => sum + (value - want[i]!) ** 2, 0);
}

describe('channels that reach far', () => {
  it('are coded apart, and all results get nearer to f32', async () => {
    const [plain, balanced] = [await quantized({}), await quantized({ balance: true })];
    expect(plain.nodes.map(({ op }) => op)).toEqual(['LayerNorm', 'Quantize', 'InnerProduct', 'InnerProduct']);
    expect(balanced.nodes.map(({ name }) => name)).toEqual([
      'norm',
      'norm/balanced',
      'n_balanced/quantize',
      'up/outliers',
      'up',
      'down/outliers',
      'down',
    ]);
    expect(noise(balanced)).toBeLessThan(noise(plain) / 4);
  });
  it('are found the same from samples in another order', async () => {
    const recipe: Recipe = { balance: true };
    const turned = await calibrate(feedForward(), { samples: [...samples].reverse(), run: exact, method: 'mse', recipe });
    expect(quantizeGraph(feedForward(), turned.ranges, recipe)).toEqual(
      quantizeGraph(feedForward(), (await calibrate(feedForward(), { samples, run: exact, method: 'mse', recipe })).ranges, recipe),
    );
  });
  it('stay with the others where a product next to them stays f32', async () => {
    const { ranges } = await calibrate(feedForward(), { samples, run: exact, recipe: { balance: true } });
    expect(quantizeGraph(feedForward(), ranges, { keep: ['down'] }).nodes.map(({ name }) => name)).toEqual([
      'norm',
      'norm/balanced',
      'n_balanced/quantize',
      'up',
      'down',
    ]);
    expect(quantizeGraph(feedForward(), ranges, { keep: ['up'] }).nodes.map(({ name }) => name)).toEqual([
      'norm',
      'up',
      'h/quantize',
      'down',
    ]);
  });
  it('reads samples that come once', async () => {
    async function* once() {
      yield* samples;
    }
    const seen: number[] = [];
    const recipe: Recipe = { balance: true };
    const streamed = await calibrate(feedForward(), { samples: once(), run: exact, recipe, onProgress: (done) => seen.push(done) });
    expect(streamed.samples).toBe(samples.length);
    expect(seen.at(-1)).toBe(samples.length);
    expect(streamed.plan.outliers.get('h')?.channels).toContain(NEURON);
  });
});
