import type { Tensor } from '@neural-engine/core';
import { evaluateGraph, Graph, inferShapes } from '@neural-engine/ir';
import { describe, expect, it } from 'vitest';
import { Model } from './index';

const f32 = (dims: number[], values: ArrayLike<number>): Tensor => ({ dtype: 'f32', dims, data: Float32Array.from(values) });
const wave = (n: number, seed: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(i * 78.233 + seed));
const WIDTH = 16;

/** Two products that share one DynamicQuantize, one of them sparse, and a third with a residual and an activation behind them. */
function sample(symmetric: boolean): Graph {
  const graph = new Graph('sample');
  graph.addValue({ name: 'x', dtype: 'f32', shape: ['batch', 'sequence', WIDTH] });
  graph.inputs = ['x'];
  const codes = (x: string): string[] => {
    const outputs = ['u8', 'step', 'zero'].map(
      (hint) => graph.addValue({ name: `${x}_${hint}`, dtype: hint === 'u8' ? 'u8' : 'f32', shape: undefined }).name,
    );
    graph.nodes.push({ name: `${x}_quantize`, op: 'DynamicQuantize', inputs: [x], outputs, attributes: { symmetric } });
    return outputs;
  };
  const range = (name: string, sign: number): string =>
    graph.addConstant(
      name,
      f32(
        [WIDTH],
        wave(WIDTH, 5).map(() => sign * 0.3),
      ),
    );
  const [min, max] = [range('weight_min', -1), range('weight_max', 1)];
  const product = (name: string, [x, step, zero]: string[], sparse: boolean, residual = '', activation = 'none'): string => {
    const data = Int8Array.from({ length: WIDTH * WIDTH }, (_, i) => (sparse && i % 8 !== 0 ? 0 : Math.round(Math.sin(i) * 126)));
    const weight = graph.addConstant(`${name}_w`, { dtype: 's8', dims: [WIDTH, WIDTH], data });
    graph.addValue({ name, dtype: 'f32', shape: undefined });
    const inputs = [
      x!,
      weight,
      graph.addConstant(`${name}_b`, f32([WIDTH], wave(WIDTH, 2))),
      residual,
      '',
      '',
      min,
      max,
      '',
      '',
      '',
      '',
      step!,
      zero!,
    ];
    graph.nodes.push({ name: `make_${name}`, op: 'InnerProduct', inputs, outputs: [name], attributes: { activation } });
    return name;
  };
  const shared = codes('x');
  const [a, b] = [product('a', shared, false), product('b', shared, true)];
  product('y', codes(a), false, b, 'gelu_erf');
  graph.outputs = ['y'];
  inferShapes(graph);
  return graph;
}

describe('products of tokens that are quantised at run time', () => {
  it.each([
    [1, 1, 1],
    [2, 33, 1],
    [3, 90, 2],
  ])('give what the operators say: batch %d, %d tokens, %d threads', async (batch, sequence, threads) => {
    const count = batch * sequence * WIDTH;
    // Tokens of different sizes, one of zeros.
    const x = f32(
      [batch, sequence, WIDTH],
      wave(count, 1).map((value, i) => value * (Math.floor(i / WIDTH) % 4)),
    );
    for (const symmetric of [false, true]) {
      const graph = sample(symmetric);
      const session = await (await Model.fromGraph(graph)).session({ threads });
      try {
        const { y } = await session.run({ x });
        const want = evaluateGraph(graph, { x }).get('y')!.data as Float32Array;
        // Between the two products a value at the edge of two codes may fall either way: one step of a weight of 0.3.
        const worst = (y!.data as Float32Array).reduce((most, value, i) => Math.max(most, Math.abs(value - want[i]!)), 0);
        expect(worst, symmetric ? 'symmetric' : 'asymmetric').toBeLessThan(0.03);
        const mean = (y!.data as Float32Array).reduce((sum, value, i) => sum + Math.abs(value - want[i]!), 0) / want.length;
        expect(mean).toBeLessThan(1e-3);
      } finally {
        await session.close();
      }
    }
  });
  it('carry NaN to the token that holds it, and to no other', async () => {
    const x = f32([1, 3, WIDTH], wave(3 * WIDTH, 1));
    x.data[WIDTH + 3] = Number.NaN;
    const session = await (await Model.fromGraph(sample(false))).session({ threads: 1 });
    try {
      const { y } = await session.run({ x });
      const nan = Array.from(y!.data as Float32Array, Number.isNaN);
      expect(nan).toEqual(Array.from({ length: 3 * WIDTH }, (_, i) => Math.floor(i / WIDTH) === 1));
    } finally {
      await session.close();
    }
  });
});
