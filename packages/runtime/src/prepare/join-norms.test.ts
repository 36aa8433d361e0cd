import { bytesOf, type Tensor } from '@neural-engine/core';
import { Graph, inferShapes } from '@neural-engine/ir';
import { describe, expect, it } from 'vitest';
import { Model } from '../model';
import { prepare } from './prepare';

const WIDTH = 24;
const f32 = (dims: number[], make: (i: number) => number): Tensor => ({
  dtype: 'f32',
  dims,
  data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => make(i)),
});

/** x + product of the codes of a second LayerNorm of what the first one normalises; `factor` is what its γ and β are multiplied by. */
function twoNorms(factor: (i: number) => number, more: { shown?: boolean } = {}): Graph {
  const graph = new Graph('two norms');
  for (const name of ['x', 's', 'n', 'm', 'y']) graph.addValue({ name, dtype: 'f32', shape: ['batch', 7, WIDTH] });
  graph.addValue({ name: 'q', dtype: 'u8', shape: ['batch', 7, WIDTH] });
  const constant = (name: string, tensor: Tensor): string => graph.addConstant(name, tensor);
  const gamma = (i: number): number => (i === 4 ? 0 : 0.7 + Math.sin(i));
  const beta = (i: number): number => (i === 5 ? 0 : Math.cos(i));
  const vector = (name: string, make: (i: number) => number): string => constant(name, f32([WIDTH], make));
  const scalar = (name: string, value: number): string =>
    constant(
      name,
      f32([1], () => value),
    );
  const codes: Tensor = {
    dtype: 's8',
    dims: [WIDTH, WIDTH],
    data: Int8Array.from({ length: WIDTH * WIDTH }, (_, i) => ((i * 37) % 255) - 127),
  };
  const norm = { epsilon: 1e-5 };
  graph.inputs = ['x'];
  graph.outputs = more.shown ? ['y', 'm'] : ['y'];
  graph.nodes.push(
    { name: 'sum', op: 'Add', inputs: ['x', 'x'], outputs: ['s'], attributes: {} },
    { name: 'first', op: 'LayerNorm', inputs: ['s', vector('g', gamma), vector('b', beta)], outputs: ['n'], attributes: norm },
    {
      name: 'second',
      op: 'LayerNorm',
      inputs: ['s', vector('g2', (i) => Math.fround(gamma(i)) * factor(i)), vector('b2', (i) => Math.fround(beta(i)) * factor(i))],
      outputs: ['m'],
      attributes: norm,
    },
    { name: 'code', op: 'Quantize', inputs: ['m', scalar('lo', -3), scalar('hi', 4)], outputs: ['q'], attributes: { dtype: 'u8' } },
    {
      name: 'product',
      op: 'InnerProduct',
      inputs: ['q', constant('w', codes), '', 'n', 'lo', 'hi', vector('wlo', () => -0.5), vector('whi', () => 0.5)],
      outputs: ['y'],
      attributes: { transposed: true, activation: 'none', output_dtype: 'f32' },
    },
  );
  inferShapes(graph);
  return graph;
}

const powers = (i: number): number => 2 ** ((i % 5) - 3);
const normsOf = (graph: Graph): number =>
  prepare(graph).prepared.nodes.filter((node) => node.kind === 'panel' && node.op.op === 'layer_norm').length;

async function outputOf(graph: Graph): Promise<string> {
  const session = await (await Model.fromGraph(graph)).session({ threads: 1 });
  const { y } = await session.run({ x: f32([2, 7, WIDTH], (i) => Math.sin(i * 1.7)) });
  await session.close();
  return Buffer.from(bytesOf(y!.data)).toString('hex');
}

describe('two LayerNorms of one value', () => {
  it('become one where the second is the first times powers of two, without changing a bit', async () => {
    const [joined, apart] = [twoNorms(powers), twoNorms(powers, { shown: true })];
    expect([normsOf(joined), normsOf(apart)]).toEqual([1, 2]);
    expect(await outputOf(joined)).toBe(await outputOf(apart));
  });
  it('stay two where the factors are no powers of two', () => {
    expect(normsOf(twoNorms((i) => (i === 6 ? 0.75 : powers(i))))).toBe(2);
    expect(normsOf(twoNorms((i) => -powers(i)))).toBe(2);
  });
});
