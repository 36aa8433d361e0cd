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
const ids = (values: number[]): Tensor => ({ dtype: 's64', dims: [2, values.length / 2], data: BigInt64Array.from(values, BigInt) });
const feeds: Record<string, Tensor> = { ids: ids([4, 0, 8, 3, 3, 7]), types: ids([0, 1, 1, 0, 0, 1]) };

function embeddings(operands: readonly ('types' | 'position' | 'type_table')[]): Graph {
  const graph = new Graph('embeddings');
  const constant = (name: 'position' | 'type_table', rows: number, seed: number): string =>
    operands.includes(name) ? graph.addConstant(name, table(rows, seed)) : '';
  const input = (name: string): string => {
    graph.addValue({ name, dtype: 's64', shape: ['batch', 'sequence'] });
    graph.inputs = [...graph.inputs, name];
    return name;
  };
  const inputs = [input('ids'), graph.addConstant('word', table(9, 1)), constant('position', 5, 2)];
  inputs.push(operands.includes('types') ? input('types') : '', constant('type_table', 2, 3));
  while (inputs.at(-1) === '') inputs.pop();
  graph.addValue({ name: 'y', dtype: 'f32', shape: undefined });
  graph.nodes = [{ name: 'embed', op: 'Embeddings', inputs, outputs: ['y'], attributes: {} }];
  graph.outputs = ['y'];
  inferShapes(graph);
  return graph;
}

it.each([
  [[]],
  [['position']],
  [['types', 'type_table']],
  [['position', 'types', 'type_table']],
  [['type_table']],
  [['position', 'type_table']],
] as const)('adds up words and %j; without types every token has row 0 of their table', async (operands) => {
  const graph = embeddings(operands);
  const given = Object.fromEntries(graph.inputs.map((name) => [name, feeds[name]!]));
  await using session = await (await Model.fromGraph(graph)).session({ threads: 1 });
  const { y } = await session.run(given);
  const want = evaluateGraph(graph, given).get('y')!.data as Float32Array;
  for (const [i, value] of (y!.data as Float32Array).entries()) expect(value).toBeCloseTo(want[i]!, 5);
});
