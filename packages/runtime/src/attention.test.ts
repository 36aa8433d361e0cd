import type { DType, Shape, Tensor } from '@neural-engine/core';
import { type Attributes, evaluateGraph, Graph, inferShapes } from '@neural-engine/ir';
import { describe, expect, it } from 'vitest';
import { Model } from './index';

const HIDDEN = 8;
const random = (count: number, seed: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(i * 78.233 + seed));
const f32 = (dims: number[], data: Float32Array): Tensor => ({ dtype: 'f32', dims, data });

/** A graph in the making: each method returns the name of the value it adds. */
class Sketch {
  readonly graph = new Graph('sketch');

  input(name: string, dtype: DType, shape: Shape): string {
    this.graph.addValue({ name, dtype, shape });
    this.graph.inputs = [...this.graph.inputs, name];
    return name;
  }

  constant(name: string, ...values: number[]): string {
    return this.graph.addConstant(name, f32([values.length], Float32Array.from(values)));
  }

  op(name: string, op: string, inputs: string[], attributes: Attributes = {}, dtype: DType = 'f32'): string {
    this.graph.addValue({ name, dtype, shape: undefined });
    this.graph.nodes.push({ name, op, inputs, outputs: [name], attributes });
    return name;
  }

  result(...outputs: string[]): Graph {
    this.graph.outputs = outputs;
    inferShapes(this.graph);
    return this.graph;
  }
}

/** Runs a graph and evaluates it by the schemas. */
async function both(graph: Graph, feeds: Record<string, Tensor>, threads = 1): Promise<[Float32Array, Float32Array][]> {
  const session = await (await Model.fromGraph(graph)).session({ threads });
  const got = await session.run(feeds);
  await session.close();
  const exact = evaluateGraph(graph, feeds);
  return graph.outputs.map((name) => [got[name]!.data as Float32Array, exact.get(name)!.data as Float32Array]);
}

function expectClose([got, exact]: [Float32Array, Float32Array], tolerance = 1e-5): void {
  expect(got).toHaveLength(exact.length);
  got.forEach((value, i) => {
    if (!(Math.abs(value - exact[i]!) <= tolerance)) expect.fail(`element ${i} is ${value}, expected ${exact[i]}`);
  });
}

const heads = { heads: 2, scale: 0.5 };
const queries = (sketch: Sketch): string[] => ['q', 'k', 'v'].map((name) => sketch.input(name, 'f32', ['batch', 'sequence', HIDDEN]));
const feeds = (batch: number, sequence: number): Record<string, Tensor> =>
  Object.fromEntries(['q', 'k', 'v'].map((name, i) => [name, f32([batch, sequence, HIDDEN], random(batch * sequence * HIDDEN, i))]));
const maskOf = (batch: number, sequence: number): Tensor => ({
  dtype: 's64',
  dims: [batch, sequence],
  data: BigInt64Array.from({ length: batch * sequence }, (_, i) => (i % sequence < sequence - 3 ? 1n : 0n)),
});

describe('attention', () => {
  it.each([
    [1, 64, 1],
    [1, 150, 1],
    [3, 50, 1],
    [3, 50, 2],
    [1, 10, 2],
  ])('reads queries, keys and values that row-major operators make, batch %i × %i, %i threads', async (batch, sequence, threads) => {
    const sketch = new Sketch();
    const [q, k, v] = queries(sketch).map((name) => sketch.op(`${name}_sin`, 'Sin', [name])) as [string, string, string];
    const graph = sketch.result(sketch.op('y', 'Attention', [q, k, v], heads));
    expectClose((await both(graph, feeds(batch, sequence), threads))[0]!);
  });

  it.each(['no mask', 'a mask of every pair'])('takes 8-bit codes that steps of their own make, under %s', async (kind) => {
    const sketch = new Sketch();
    const range = [sketch.constant('min', -1), sketch.constant('max', 1)];
    const codes = queries(sketch).map((name) => sketch.op(`${name}_s8`, 'Quantize', [name, ...range], { dtype: 's8' }, 's8'));
    const masked = kind !== 'no mask';
    const mask = masked ? sketch.input('pairs', 'f32', ['batch', 1, 'sequence', 'sequence']) : '';
    const inputs = [...codes, mask, ...range, ...range, ...range, ...range];
    const attended = sketch.op('attended', 'Attention', inputs, { ...heads, output_dtype: 'u8' }, 'u8');
    const graph = sketch.result(sketch.op('y', 'Dequantize', [attended, ...range]));
    const pairs = masked && { pairs: f32([2, 1, 70, 70], random(9800, 4)) };
    // One step of the result, since the 8-bit kernel codes probabilities too.
    expectClose((await both(graph, { ...feeds(2, 70), ...pairs }))[0]!, 2 / 255 + 1e-5);
  });

  it.each<[string, readonly [number, number, number], number, number]>([
    ['heads of two features', [0, 1, 2], 4, 0.5],
    ['a scale below zero', [0, 1, 2], 2, -0.5],
    ['codes that are queries and keys', [0, 0, 2], 2, 0.5],
    ['codes that are queries and values', [0, 1, 0], 2, 0.5],
  ])('of 8-bit codes takes %s, which its kernel does not', async (_, [q, k, v], count, scale) => {
    const sketch = new Sketch();
    const range = [sketch.constant('min', -1), sketch.constant('max', 1)];
    const codes = queries(sketch).map((name) => sketch.op(`${name}_s8`, 'Quantize', [name, ...range], { dtype: 's8' }, 's8'));
    const inputs = [codes[q]!, codes[k]!, codes[v]!, '', ...range, ...range, ...range, ...range];
    const attended = sketch.op('attended', 'Attention', inputs, { heads: count, scale, output_dtype: 'u8' }, 'u8');
    const graph = sketch.result(sketch.op('y', 'Dequantize', [attended, ...range]));
    expectClose((await both(graph, feeds(2, 70)))[0]!, 1 / 255 + 1e-5);
  });

  it.each([1, 2])('of one encoder may be under different masks, or under none, %i threads', async (threads) => {
    const sketch = new Sketch();
    const [q, k, v] = queries(sketch) as [string, string, string];
    const [mask, other] = ['mask', 'other'].map((name) => sketch.input(name, 's64', ['batch', 'sequence'])) as [string, string];
    const padding = (name: string, from: string, value: number): string => sketch.op(name, 'PaddingMask', [from], { value });
    const [far, near, another] = [padding('far', mask, -10000), padding('near', mask, -2), padding('another', other, -10000)];
    let y = q;
    for (const [i, additive] of [far, near, another, far, ''].entries())
      y = sketch.op(`y${i}`, 'Attention', [y, k, v, ...(additive ? [additive] : [])], heads);
    const masks = { mask: maskOf(2, 12), other: { ...maskOf(2, 12), data: new BigInt64Array(24).fill(1n) } };
    expectClose((await both(sketch.result(y), { ...feeds(2, 12), ...masks }, threads))[0]!);
  });
});

describe('roundings', () => {
  // Steps of 1/8 are exact in f32, so that few values lie where two computations choose different codes.
  const ranges = { score_range: [-16, 15.875], probability_range: [0, 31.875] };
  it.each(['no mask', 'a mask of every pair'])('of scores and probabilities are kept, under %s', async (kind) => {
    const sketch = new Sketch();
    const masked = kind !== 'no mask';
    const mask = masked ? [sketch.input('pairs', 'f32', ['batch', 1, 'sequence', 'sequence'])] : [];
    const y = sketch.op('y', 'Attention', [...queries(sketch), ...mask], { ...heads, ...ranges });
    const plain = sketch.op('plain', 'Attention', [...queries(new Sketch()), ...mask], heads);
    const pairs = masked && { pairs: f32([2, 1, 9, 9], random(162, 4)) };
    const [rounded, exact] = await both(sketch.result(y, plain), { ...feeds(2, 9), ...pairs });
    expectClose(rounded!);
    expect(Math.max(...rounded![0].map((value, i) => Math.abs(value - exact![0][i]!)))).toBeGreaterThan(0.05);
  });

  it.each([[HIDDEN], [null]])('are undone with a bias, the last dimension being %s', async (last) => {
    const sketch = new Sketch();
    const range = [sketch.constant('min', -16), sketch.constant('max', 15.875)];
    const x = sketch.input('x', 'f32', ['rows', last]);
    const codes = sketch.op('codes', 'Quantize', [x, ...range], { dtype: 'u8' }, 'u8');
    const graph = sketch.result(sketch.op('y', 'Dequantize', [codes, ...range, sketch.constant('bias', ...random(HIDDEN, 3))]));
    expectClose((await both(graph, { x: f32([70, HIDDEN], random(70 * HIDDEN, 1)) }))[0]!);
  });
});

describe('PaddingMask', () => {
  it('is the arithmetic it stands for where no attention reads it', async () => {
    const sketch = new Sketch();
    const scores = sketch.input('scores', 'f32', ['batch', 2, 'queries', 'sequence']);
    const additive = sketch.op('additive', 'PaddingMask', [sketch.input('mask', 's64', ['batch', 'sequence'])], { value: -100 });
    const graph = sketch.result(sketch.op('y', 'Softmax', [sketch.op('sum', 'Add', [scores, additive])], { axis: -1 }));
    const outputs = await both(graph, { scores: f32([2, 2, 3, 7], random(84, 5)), mask: maskOf(2, 7) });
    expectClose(outputs[0]!);
  });

  it('serves an attention and other readers alike', async () => {
    const sketch = new Sketch();
    const [q, k, v] = queries(sketch) as [string, string, string];
    const additive = sketch.op('additive', 'PaddingMask', [sketch.input('mask', 's64', ['batch', 'sequence'])], { value: -10000 });
    const y = sketch.op('y', 'Attention', [q, k, v, additive], heads);
    const graph = sketch.result(y, sketch.op('negative', 'Neg', [additive]), additive);
    const outputs = await both(graph, { ...feeds(2, 12), mask: maskOf(2, 12) });
    // Masked queries carry no meaning.
    for (const side of outputs[0]!) for (const row of [0, 1]) side.fill(0, (row * 12 + 9) * HIDDEN, (row + 1) * 12 * HIDDEN);
    for (const output of outputs) expectClose(output);
  });
});

describe('LayerNorm', () => {
  it('takes a scale that is computed', async () => {
    const sketch = new Sketch();
    const [x, factor] = [sketch.input('x', 'f32', ['rows', HIDDEN]), sketch.input('factor', 'f32', [HIDDEN])];
    const scale = sketch.op('scale', 'Exp', [factor]);
    const graph = sketch.result(sketch.op('y', 'LayerNorm', [x, scale, factor], { epsilon: 1e-5 }));
    expectClose((await both(graph, { x: f32([5, HIDDEN], random(40, 1)), factor: f32([HIDDEN], random(HIDDEN, 2)) }))[0]!);
  });
});
