import { s64, type Tensor } from '@neural-engine/core';
import { type Attributes, Graph, inferShapes } from '@neural-engine/ir';
import { describe, expect, it } from 'vitest';
import { Model } from '../model';
import { batchingOf } from './batch';
import { Pool } from './pool';

const f32 = (dims: number[], data: ArrayLike<number>): Tensor => ({ dtype: 'f32', dims, data: Float32Array.from(data) });
const weight = f32(
  [4, 4],
  Array.from({ length: 16 }, (_, i) => Math.sin(i)),
);

/** A graph in the making over `x`, f32 [batch, 4] or [batch, sequence, 4]. */
class Sketch {
  readonly graph = new Graph('sketch');
  constructor(shape: readonly (string | number)[]) {
    this.graph.addValue({ name: 'x', dtype: 'f32', shape });
    this.graph.inputs = ['x'];
  }
  constant(value: Tensor): string {
    return this.graph.addConstant('c', value);
  }
  op(op: string, inputs: string[], attributes: Attributes = {}, dtypes: Tensor['dtype'][] = ['f32']): string {
    const outputs = dtypes.map((dtype) => this.graph.addValue({ name: this.graph.freeName(op), dtype, shape: undefined }).name);
    this.graph.nodes.push({ name: outputs[0]!, op, inputs, outputs, attributes });
    return outputs[0]!;
  }
}
type Build = (sketch: Sketch) => string;

async function modelOf(build: Build, shape: readonly (string | number)[]): Promise<Model> {
  const sketch = new Sketch(shape);
  sketch.graph.outputs = [build(sketch)];
  inferShapes(sketch.graph);
  return Model.fromGraph(sketch.graph);
}

const ROWS = ['batch', 4] as const;
const TOKENS = ['batch', 'sequence', 4] as const;

/** Answers of a pool that joins what it can, to a small and a great request at once, and of a session to each alone. */
async function both(model: Model, dims: number[]): Promise<{ joined: unknown[]; alone: unknown[]; batches: number }> {
  const feeds = [0.1, 1000].map((size) => ({
    x: f32(
      dims,
      Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => (i + 1) * size),
    ),
  }));
  await using pool = await Pool.open(model, { instances: 1, threadsPerInstance: 1, maxBatch: 8, maxDelayMs: 20 });
  await using session = await model.session({ threads: 1 });
  const joined = await Promise.all(feeds.map((each) => pool.run(each)));
  const alone = [];
  for (const each of feeds) alone.push(await session.run(each));
  return { joined, alone, batches: pool.statistics.batches };
}

/** Whether joined or not, each request has the answer that it has alone. */
async function expectBatches(count: number, build: Build, shape: readonly (string | number)[]): Promise<void> {
  const { joined, alone, batches } = await both(await modelOf(build, shape), shape === ROWS ? [1, 4] : [1, 3, 4]);
  expect(joined).toEqual(alone);
  expect(batches).toBe(count);
}

const shapeOf: Build = (s) => s.op('Shape', ['x'], {}, ['s64']);

describe('requests are not joined where', () => {
  it.each<[string, Build, readonly (string | number)[]]>([
    [
      'one step codes all rows',
      (s) => {
        const codes = s.op('DynamicQuantizeLinear', ['x'], {}, ['u8', 'f32', 'u8']);
        return s.op('DequantizeLinear', [codes, ...s.graph.nodes.at(-1)!.outputs.slice(1)]);
      },
      ROWS,
    ],
    ['a softmax runs over rows', (s) => s.op('Softmax', ['x'], { axis: 0 }), ROWS],
    ['rows are less their mean', (s) => s.op('Sub', ['x', s.op('ReduceMean', ['x', s.constant(s64([0]))])]), ROWS],
    ['the mean of all is taken away', (s) => s.op('Sub', ['x', s.op('ReduceMean', ['x'])]), ROWS],
    ['rows are summed up to each', (s) => s.op('CumSum', ['x', s.constant({ dtype: 's32', dims: [], data: Int32Array.of(0) })]), ROWS],
    ['rows meet as rows and columns', (s) => s.op('MatMul', [s.op('MatMul', ['x', s.op('Transpose', ['x'])]), 'x']), ROWS],
    [
      'the number of rows is computed with',
      (s) => {
        const count = s.op('Gather', [shapeOf(s), s.constant({ dtype: 's64', dims: [], data: BigInt64Array.of(0n) })], {}, ['s64']);
        return s.op('Div', ['x', s.op('Cast', [count], { to: 'f32' })]);
      },
      ROWS,
    ],
    ['rows are turned', (s) => s.op('Slice', ['x', ...[-1, -(2 ** 31), 0, -1].map((at) => s.constant(s64([at])))]), ROWS],
    [
      'attention looks across rows',
      (s) => {
        const turned = s.op('Transpose', ['x'], { perm: [1, 0, 2] });
        return s.op('Transpose', [s.op('Attention', [turned, turned, turned], { heads: 2, scale: 0.5 })], { perm: [1, 0, 2] });
      },
      TOKENS,
    ],
  ])('%s, and each has the answer that it has alone', (_, build, shape) => expectBatches(2, build, shape));

  it('a constant differs from row to row', async () => {
    const model = await modelOf(
      (s) =>
        s.op('Reshape', [s.op('Add', [s.op('Reshape', ['x', s.constant(s64([2, -1]))]), s.constant(f32([2, 1], [1, 2]))]), shapeOf(s)]),
      ROWS,
    );
    expect(batchingOf(model)).toBeUndefined();
  });
});

describe('requests are joined where', () => {
  it.each<[string, Build, readonly (string | number)[]]>([
    ['rows are multiplied', (s) => s.op('InnerProduct', ['x', s.constant(weight)]), ROWS],
    ['a softmax runs over features', (s) => s.op('Softmax', [s.op('MatMul', ['x', s.constant(weight)])], { axis: -1 }), ROWS],
    [
      'constants are the same for each row',
      (s) => s.op('Add', [s.op('Mul', ['x', s.constant(f32([], [2]))]), s.constant(f32([1, 4], [1, 2, 3, 4]))]),
      ROWS,
    ],
    ['tokens are averaged', (s) => s.op('ReduceMean', ['x', s.constant(s64([1]))], { keepdims: 0 }), TOKENS],
    [
      'heads are parted and joined',
      (s) => {
        const heads = s.op('Transpose', [s.op('Reshape', ['x', s.constant(s64([0, 0, 2, 2]))])], { perm: [0, 2, 1, 3] });
        const scores = s.op('Softmax', [s.op('MatMul', [heads, s.op('Transpose', [heads], { perm: [0, 1, 3, 2] })])], { axis: -1 });
        return s.op('Reshape', [s.op('Transpose', [s.op('MatMul', [scores, heads])], { perm: [0, 2, 1, 3] }), s.constant(s64([0, 0, -1]))]);
      },
      TOKENS,
    ],
    [
      'tokens of all rows are one matrix for a while',
      (s) => {
        const matrix = s.op('MatMul', [s.op('Reshape', ['x', s.constant(s64([-1, 4]))]), s.constant(weight)]);
        return s.op('Reshape', [matrix, shapeOf(s)]);
      },
      TOKENS,
    ],
    ['a row is repeated for each', (s) => s.op('Add', ['x', s.op('Expand', [s.constant(f32([1, 4], [1, 2, 3, 4])), shapeOf(s)])]), ROWS],
    [
      'the length is computed with',
      (s) => {
        const count = s.op('Gather', [shapeOf(s), s.constant({ dtype: 's64', dims: [], data: BigInt64Array.of(1n) })], {}, ['s64']);
        return s.op('Div', ['x', s.op('Cast', [count], { to: 'f32' })]);
      },
      TOKENS,
    ],
  ])('%s, with the same answers', (_, build, shape) => expectBatches(1, build, shape));
});
