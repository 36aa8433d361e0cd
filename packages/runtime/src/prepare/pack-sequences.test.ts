import { s64, type Tensor } from '@neural-engine/core';
import { type Attributes, evaluateGraph, Graph, inferShapes } from '@neural-engine/ir';
import type { ProgramSpec } from '@neural-engine/kernels';
import { describe, expect, it } from 'vitest';
import { Model } from '../model';
import type { Session } from '../session';

const HIDDEN = 8;
const LENGTH = 12;
/** Tokens that the mask keeps, of two sequences. */
const REAL = [5, 12];
const f32 = (dims: number[], seed: number): Tensor => ({
  dtype: 'f32',
  dims,
  data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 78.233 + seed)),
});

/** Adds a node of one output and returns that. */
type Op = (op: string, inputs: string[], attributes?: Attributes) => string;
/** What comes after an encoder whose output is `y`, f32 [batch, sequence, 8]; the mask is `mask`. */
type Head = (op: Op, graph: Graph) => string;

/** Embeddings, attention under a mask, and a head. */
function encoder(head: Head, sequence: string | number = 'sequence'): Graph {
  const graph = new Graph('encoder');
  for (const name of ['ids', 'mask']) graph.addValue({ name, dtype: 's64', shape: ['batch', sequence] });
  graph.inputs = ['ids', 'mask'];
  let count = 0;
  const op: Op = (name, inputs, attributes = {}) => {
    const output = `v${count++}`;
    graph.addValue({ name: output, dtype: 'f32', shape: undefined });
    graph.nodes.push({ name: `${name}_${output}`, op: name, inputs, outputs: [output], attributes });
    return output;
  };
  const x = op('Embeddings', ['ids', graph.addConstant('word', f32([20, HIDDEN], 1))]);
  const additive = op('PaddingMask', ['mask'], { value: -1e9 });
  op('Attention', [x, x, x, additive], { heads: 2, scale: 0.5 });
  graph.outputs = [head(op, graph)];
  inferShapes(graph);
  return graph;
}
/** What the encoder makes. */
const Y = 'v2';

const feeds: Record<string, Tensor> = {
  ids: { dtype: 's64', dims: [2, LENGTH], data: BigInt64Array.from({ length: 2 * LENGTH }, (_, i) => BigInt((i * 7) % 20)) },
  mask: {
    dtype: 's64',
    dims: [2, LENGTH],
    data: BigInt64Array.from({ length: 2 * LENGTH }, (_, i) => BigInt(i % LENGTH < REAL[Math.floor(i / LENGTH)]! ? 1 : 0)),
  },
};

/** Runs a graph and compares it with its schemas wherever the mask keeps a token; `tokens` is the axis that they lie on, if any. */
async function check(graph: Graph, tokens: number | undefined): Promise<string> {
  const model = await Model.fromGraph(graph);
  await using session = await model.session({ threads: 1 });
  const [name] = graph.outputs as [string];
  const [got, exact] = [(await session.run(feeds))[name]!, evaluateGraph(graph, feeds).get(name)!];
  const inner = tokens === undefined ? 1 : got.dims.slice(tokens + 1).reduce((a, b) => a * b, 1);
  let compared = 0;
  for (const [i, value] of (got.data as Float32Array).entries()) {
    const token = Math.floor(i / inner) % LENGTH;
    if (tokens !== undefined && token >= REAL[Math.floor(i / inner / LENGTH) % 2]!) continue;
    expect(Math.abs(value - Number(exact.data[i]))).toBeLessThan(1e-5);
    compared++;
  }
  expect(compared).toBeGreaterThan(0);
  return model.prepared.components.find(({ kind }) => kind === 'tokens')!.packReason;
}

const product: (op: Op, graph: Graph, x: string, out: number) => string = (op, graph, x, out) =>
  op('InnerProduct', [x, graph.addConstant('w', f32([HIDDEN, out], 2)), graph.addConstant('b', f32([out], 3))]);
const axes = (graph: Graph, ...values: number[]): string => graph.addConstant('axes', s64(values));
/** [batch, sequence]: one number a token. */
const logits: Head = (op, graph) => op('Squeeze', [product(op, graph, Y, 1), axes(graph, -1)]);
const first = (op: Op, graph: Graph, x: string): string =>
  op('Gather', [x, graph.addConstant('first', { dtype: 's64', dims: [], data: BigInt64Array.of(0n) })], { axis: 1 });
/** The mask as f32 [batch, sequence, 1]. */
const column = (op: Op, graph: Graph): string => op('Cast', [op('Unsqueeze', ['mask', axes(graph, -1)])], { to: 'f32' });

describe('masked tokens are left out where', () => {
  it.each<[string, Head, number | undefined]>([
    ['each token has its answer', logits, 1],
    ['features are normalised', (op, graph) => op('Softmax', [product(op, graph, Y, 4)], { axis: -1 }), 1],
    ['features are cut', (op, graph) => op('Slice', [product(op, graph, Y, 4), axes(graph, 1), axes(graph, 3), axes(graph, 2)]), 1],
    ['features are summed', (op, graph) => op('ReduceSum', [Y, axes(graph, 2)], { keepdims: 0 }), 1],
    ['answers are added to numbers a position', (op, graph) => op('Add', [logits(op, graph), graph.addConstant('c', f32([1, 1], 4))]), 1],
    ['the first token is read by Gather', (op, graph) => op('Tanh', [product(op, graph, first(op, graph, Y), 3)]), undefined],
    [
      'the first token is read by Slice',
      (op, graph) => op('Squeeze', [op('Slice', [Y, axes(graph, 0), axes(graph, 1), axes(graph, 1)]), axes(graph, 1)]),
      undefined,
    ],
    [
      'the first token is read by Slice of all axes',
      (op, graph) => {
        const ends = axes(graph, 2147483647, 1, 2147483647);
        return op('Reshape', [op('Slice', [Y, axes(graph, 0, 0, 0), ends, axes(graph, 0, 1, 2)]), axes(graph, -1, HIDDEN)]);
      },
      undefined,
    ],
    [
      'the mask is multiplied in before tokens are averaged',
      (op, graph) => {
        const wide = op('Expand', [column(op, graph), op('Shape', [Y])]);
        const sums = op('ReduceSum', [op('Mul', [Y, wide]), axes(graph, 1)], { keepdims: 0 });
        return op('Div', [sums, op('ReduceSum', [wide, axes(graph, 1)], { keepdims: 0 })]);
      },
      undefined,
    ],
  ])('%s', async (_, head, tokens) => {
    expect(await check(encoder(head), tokens)).toBe('masked tokens cannot be observed');
  });
});

describe('a first token that is masked', () => {
  const left = {
    ...feeds,
    mask: { ...feeds['mask']!, data: (feeds['mask']!.data as BigInt64Array).map((_, i) => (i % LENGTH < 3 ? 0n : 1n)) },
  };
  /** Whether the program for these feeds leaves masked tokens out. */
  const packedTokens = (session: Session, given: typeof feeds): boolean =>
    (session.plan(given).source as ProgramSpec).spaces.some((space) => space.kind === 'tokens' && space.pack);
  it.each<[string, Head]>([
    ['Gather', (op, graph) => op('Tanh', [product(op, graph, first(op, graph, Y), 3)])],
    ['Slice', (op, graph) => op('Slice', [Y, axes(graph, 0), axes(graph, 1), axes(graph, 1)])],
  ])('is computed where %s reads it, and others are left out again in the next run', async (_, head) => {
    const graph = encoder(head);
    await using session = await (await Model.fromGraph(graph)).session({ threads: 1 });
    for (const [given, packs] of [
      [feeds, true],
      [left, false],
      [feeds, true],
    ] as const) {
      const [name] = graph.outputs as [string];
      const exact = evaluateGraph(graph, given).get(name)!.data;
      for (const [i, value] of ((await session.run(given))[name]!.data as Float32Array).entries())
        expect(Math.abs(value - Number(exact[i]))).toBeLessThan(1e-5);
      expect(packedTokens(session, given)).toBe(packs);
    }
  });
  it('is left out with the others where each token has its answer', async () => {
    await using session = await (await Model.fromGraph(encoder(logits))).session({ threads: 1 });
    expect(packedTokens(session, left)).toBe(true);
  });
});

describe('masked tokens are computed where', () => {
  it.each<[string, Head, number | undefined]>([
    ['Softmax', (op, graph) => op('Softmax', [logits(op, graph)], { axis: -1 }), 1],
    ['Softmax', (op, graph) => op('Softmax', [product(op, graph, Y, 3)], { axis: 1 }), 1],
    ['Softmax', (op, graph) => op('Softmax', [product(op, graph, Y, 3)], { axis: 0 }), 1],
    ['LogSoftmax', (op, graph) => op('LogSoftmax', [logits(op, graph)]), 1],
    ['LogSoftmax', (op, graph) => op('LogSoftmax', [product(op, graph, Y, 3)], { axis: -2 }), 1],
    ['Slice', (op, graph) => op('Slice', [Y, axes(graph, 4), axes(graph, 8), axes(graph, 1)]), undefined],
    ['Slice', (op, graph) => op('Slice', [Y, axes(graph, 0), axes(graph, 1)]), undefined],
    ['Gather', (op, graph) => op('Gather', [Y, axes(graph, -1)], { axis: 1 }), undefined],
    ['ReduceMax', (op, graph) => op('ReduceMax', [logits(op, graph), axes(graph, 1)]), undefined],
    ['ReduceSum', (op, graph) => op('ReduceSum', [op('Mul', [Y, Y]), axes(graph, 1)]), undefined],
    ['Sub', (op, graph) => op('Sub', [logits(op, graph), product(op, graph, Y, 1)]), undefined],
    [
      'ReduceSum', // The mask lies across the tokens: [batch, 1, sequence].
      (op, graph) => op('ReduceSum', [op('Mul', [product(op, graph, Y, 1), across(op, graph)]), axes(graph, 1)], { keepdims: 0 }),
      undefined,
    ],
  ])('%s may look at them', async (name, head, tokens) => {
    // Of a batch as long as its sequences, so that axes which do not belong together broadcast.
    const graph = encoder(head);
    const reason = name === 'Sub' ? await reasonOf(graph) : await check(graph, tokens);
    expect(reason).toMatch(new RegExp(`^node "${name}_v\\d+" \\(${name}\\) may look at masked tokens$`));
  });

  it.each<[string, Head]>([
    [
      'LayerNorm',
      (op, graph) =>
        op('LayerNorm', [logits(op, graph), graph.addConstant('scale', f32([LENGTH], 5)), graph.addConstant('bias', f32([LENGTH], 6))]),
    ],
    ['InnerProduct', (op, graph) => op('InnerProduct', [logits(op, graph), graph.addConstant('m', f32([LENGTH, 3], 5))])],
  ])('%s of a number a token looks at them', async (name, head) => {
    const reason = await check(encoder(head, LENGTH), name === 'LayerNorm' ? 1 : undefined);
    expect(reason).toMatch(new RegExp(`\\(${name}\\) may look at masked tokens$`));
  });

  it('DynamicQuantize codes a number a token by the range of all', async () => {
    const graph = encoder(logits, LENGTH);
    const [x] = graph.outputs as [string];
    graph.nodes.push({ name: 'codes', op: 'DynamicQuantize', inputs: [x], outputs: ['codes', 'step', 'zero'], attributes: {} });
    for (const name of ['codes', 'step', 'zero']) graph.addValue({ name, dtype: 'f32', shape: undefined });
    graph.outputs = ['codes'];
    inferShapes(graph);
    expect(await reasonOf(graph)).toBe('node "codes" (DynamicQuantize) may look at masked tokens');
  });
});

const across = (op: Op, graph: Graph): string => op('Cast', [op('Unsqueeze', ['mask', axes(graph, 1)])], { to: 'f32' });
const reasonOf = async (graph: Graph): Promise<string> =>
  (await Model.fromGraph(graph)).prepared.components.find(({ kind }) => kind === 'tokens')!.packReason;
