import { toBf16 } from '@neural-engine/core';
import { Graph, inferShapes } from '@neural-engine/ir';
import { Model } from '@neural-engine/runtime';
import { random } from '../../feeds';
import type { Contestant } from '../../race';
import { stepTimes } from '../../step-times';

/** Out × in of the products of a DistilBERT-base layer, and how many of each it has. */
export const SHAPES = [
  { m: 768, k: 768, count: 4 },
  { m: 3072, k: 768, count: 1 },
  { m: 768, k: 3072, count: 1 },
] as const;

/** A product of one weight, and how many elements of it are not zero. */
export interface Product {
  readonly graph: Graph;
  readonly k: number;
  readonly used: number;
}

/** Weights [m, k] of at most ±127, of which `zeros` of the 4x1 blocks are zero. */
function codes(m: number, k: number, zeros: number): Int8Array {
  const next = random(m + k + Math.round(zeros * 100));
  const data = new Int8Array(m * k);
  for (let block = 0; block < m; block += 4) {
    for (let input = 0; input < k; input++) {
      if (next() < zeros) continue;
      for (let row = block; row < block + 4; row++) data[row * k + input] = Math.floor(next() * 254 - 127) || 1;
    }
  }
  return data;
}

const countUsed = (data: Int8Array): number => data.reduce((sum, value) => sum + (value ? 1 : 0), 0);

function graphOf(k: number) {
  const graph = new Graph('product');
  graph.addValue({ name: 'x', dtype: 'f32', shape: ['batch', 'sequence', k] });
  graph.addValue({ name: 'y', dtype: 'f32', shape: undefined });
  graph.inputs = ['x'];
  graph.outputs = ['y'];
  const constant = (name: string, count: number, value: number): string =>
    graph.addConstant(name, { dtype: 'f32', dims: [count], data: new Float32Array(count).fill(value) });
  return { graph, constant };
}

/** One u8 × s8 product with u8 results. */
export function int8Product(m: number, k: number, zeros: number): Product {
  const data = codes(m, k, zeros);
  const { graph, constant } = graphOf(k);
  const range = [constant('min', 1, -1), constant('max', 1, 1)];
  const weight = graph.addConstant('weight', { dtype: 's8', dims: [m, k], data });
  const scales = [constant('weight_min', m, -0.05), constant('weight_max', m, 0.05)];
  const results = [constant('y_min', 1, -1), constant('y_max', 1, 1)];
  graph.addValue({ name: 'codes', dtype: 'u8', shape: undefined });
  graph.addValue({ name: 'product', dtype: 'u8', shape: undefined });
  graph.nodes = [
    { name: 'quantize', op: 'Quantize', inputs: ['x', ...range], outputs: ['codes'], attributes: { dtype: 'u8' } },
    {
      name: 'product',
      op: 'InnerProduct',
      inputs: ['codes', weight, constant('bias', m, 0.01), '', ...range, ...scales, '', '', ...results],
      outputs: ['product'],
      attributes: { transposed: true, output_dtype: 'u8' },
    },
    { name: 'dequantize', op: 'Dequantize', inputs: ['product', ...results], outputs: ['y'], attributes: {} },
  ];
  inferShapes(graph);
  return { graph, k, used: countUsed(data) };
}

/** One bf16 product of f32 activations with f32 results. */
export function bf16Product(m: number, k: number, zeros: number): Product {
  const data = codes(m, k, zeros);
  const { graph, constant } = graphOf(k);
  const weight = graph.addConstant('weight', { dtype: 'bf16', dims: [m, k], data: Uint16Array.from(data, (code) => toBf16(code / 1024)) });
  graph.nodes = [
    {
      name: 'product',
      op: 'InnerProduct',
      inputs: ['x', weight, constant('bias', m, 0.01)],
      outputs: ['y'],
      attributes: { transposed: true },
    },
  ];
  inferShapes(graph);
  return { graph, k, used: countUsed(data) };
}

/** The kernel of one product as a contestant: the time of its step alone. */
export async function kernelOf({ graph, k }: Product, sparse: 'always' | 'never' | 'auto', tokens: number) {
  const model = await Model.fromGraph(graph, { sparse });
  const session = await model.session({ threads: 1 });
  const next = random(3);
  const feeds = {
    x: { dtype: 'f32' as const, dims: [1, tokens, k], data: Float32Array.from({ length: tokens * k }, () => next() * 2 - 1) },
  };
  const run: Contestant = async () => {
    const { profile, program } = await session.profile(feeds);
    const spent = stepTimes(profile, program);
    return (spent.get('linear_i8') ?? spent.get('linear_bf16'))! / 1e6;
  };
  return { run, session, name: model.weights.kernels.find((kernel) => kernel !== null) ?? 'none' };
}
