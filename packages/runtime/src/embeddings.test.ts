import type { Tensor } from '@neural-engine/core';
import { evaluateGraph, Graph, inferShapes } from '@neural-engine/ir';
import { expect, it } from 'vitest';
import { Model } from './index';

const FEATURES = 12;
const table = (rows: number, seed: number): Tensor => ({
  dtype: 'f32',
  dims: [rows, FEATURES],
  data: Float32Array.from({ length: rows * FEATURES }, (_, i) => Math.sin(i * 78.233 + seed)),
});
type Index = 's64' | 's32';
const ids = (dtype: Index, values: number[]): Tensor => ({
  dtype,
  dims: [2, values.length / 2],
  data: dtype === 's64' ? BigInt64Array.from(values, BigInt) : Int32Array.from(values),
});

function embeddings(operands: readonly ('types' | 'position' | 'type_table')[], dtypes: readonly [Index, Index]): Graph {
  const graph = new Graph('embeddings');
  const constant = (name: 'position' | 'type_table', rows: number, seed: number): string =>
    operands.includes(name) ? graph.addConstant(name, table(rows, seed)) : '';
  const input = (name: string, dtype: Index): string => {
    graph.addValue({ name, dtype, shape: ['batch', 'sequence'] });
    graph.inputs = [...graph.inputs, name];
    return name;
  };
  const inputs = [input('ids', dtypes[0]), graph.addConstant('word', table(9, 1)), constant('position', 5, 2)];
  inputs.push(operands.includes('types') ? input('types', dtypes[1]) : '', constant('type_table', 2, 3));
  while (inputs.at(-1) === '') inputs.pop();
  graph.addValue({ name: 'y', dtype: 'f32', shape: undefined });
  graph.nodes = [{ name: 'embed', op: 'Embeddings', inputs, outputs: ['y'], attributes: {} }];
  graph.outputs = ['y'];
  inferShapes(graph);
  return graph;
}

async function expectSums(graph: Graph): Promise<void> {
  const numbers: Record<string, number[]> = { ids: [4, 0, 8, 3, 3, 7], types: [0, 1, 1, 0, 0, 1] };
  const feeds = Object.fromEntries(graph.inputs.map((name) => [name, ids(graph.value(name).dtype as Index, numbers[name]!)]));
  await using session = await (await Model.fromGraph(graph)).session({ threads: 1 });
  const { y } = await session.run(feeds);
  const want = evaluateGraph(graph, feeds).get('y')!.data as Float32Array;
  for (const [i, value] of (y!.data as Float32Array).entries()) expect(value).toBeCloseTo(want[i]!, 5);
}

it.each([
  [[]],
  [['position']],
  [['types', 'type_table']],
  [['position', 'types', 'type_table']],
  [['type_table']],
  [['position', 'type_table']],
] as const)('adds up words and %j; without types every token has row 0 of their table', (operands) =>
  expectSums(embeddings(operands, ['s64', 's64'])),
);

it.each([
  ['s32', 's32'],
  ['s32', 's64'],
  ['s64', 's32'],
] as const)('takes ids of %s with types of %s', (...dtypes) => expectSums(embeddings(['position', 'types', 'type_table'], dtypes)));
