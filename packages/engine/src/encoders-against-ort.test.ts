import {
  encodeModel,
  makeGraph,
  makeModel,
  makeNode,
  makeTensor,
  makeValueInfo,
  type OnnxAttribute,
  type OnnxTensor,
} from '@neural-engine/onnx';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { load } from './index';

// Encoders of random shape, each part in one of the spellings that exporters have, beside ONNX Runtime without its own fusions.
const SEEDS = Array.from({ length: 32 }, (_, i) => i + 1);
const [BATCH, LENGTH, VOCABULARY, POSITIONS] = [2, 7, 19, 16] as const;
const LENGTHS = [LENGTH, 4];

type Attributes = Readonly<Record<string, OnnxAttribute>>;
const int = (value: number): OnnxAttribute => ({ type: 'int', value: BigInt(value) });
const ints = (...values: number[]): OnnxAttribute => ({ type: 'ints', value: values.map(BigInt) });

/** A model in the making; every method returns the name of a value. */
class Sketch {
  private readonly nodes: ReturnType<typeof makeNode>[] = [];
  private readonly tensors: OnnxTensor[] = [];
  private count = 0;
  readonly outputs: string[] = [];
  readonly opset: number;

  constructor(private state: number) {
    this.opset = 13 + this.below(9);
  }

  /** A number of a fixed sequence, from 0 on. */
  below(limit: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * limit);
  }
  one<T>(...ways: readonly (() => T)[]): T {
    return ways[this.below(ways.length)]!();
  }
  op(type: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const y = `${type}_${this.count++}`;
    this.nodes.push(makeNode(type, inputs, [y], { name: `make_${y}`, attributes }));
    return y;
  }
  both(type: string, a: string, b: string): string {
    return this.op(type, this.below(2) ? [a, b] : [b, a]);
  }
  f32(dims: readonly number[], make: () => number): string {
    const name = `f32_${this.count++}`;
    const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, make);
    this.tensors.push(makeTensor(name, 'f32', dims, data));
    return name;
  }
  weight(dims: readonly number[], size = 1): string {
    return this.f32(dims, () => (this.below(2001) / 1000 - 1) * size);
  }
  scalar(value: number): string {
    return this.f32(this.below(2) ? [] : [1], () => value);
  }
  s64(values: readonly number[], dims: readonly number[] = [values.length]): string {
    const name = `s64_${this.count++}`;
    this.tensors.push(makeTensor(name, 's64', dims, BigInt64Array.from(values, BigInt)));
    return name;
  }
  mean(x: string): string {
    if (this.opset < 18) return this.op('ReduceMean', [x], { axes: ints(this.below(2) ? -1 : 2) });
    return this.op('ReduceMean', [x, this.s64([this.below(2) ? -1 : 2])]);
  }
  bytes(inputs: readonly string[]): Uint8Array {
    const dims = this.below(2) ? ['batch', 'sequence'] : [BATCH, LENGTH];
    const graph = makeGraph({
      nodes: this.nodes,
      inputs: inputs.map((name) => makeValueInfo(name, 's64', dims)),
      outputs: [...new Set(this.outputs)].map((name) => makeValueInfo(name, 'f32')),
      initializers: this.tensors,
    });
    return encodeModel(makeModel(graph, { opsets: { '': this.opset } }));
  }
}

function embeddings(b: Sketch, hidden: number, inputs: string[]): string {
  const shape = b.op('Shape', ['input_ids']);
  const length = b.op('Slice', [shape, b.s64([1]), b.s64([2])]);
  const counted = Array.from({ length: POSITIONS }, (_, i) => i);
  const rows = (ids: string): string => b.op('Gather', [b.weight([POSITIONS, hidden]), ids]);
  const types = (ids: string): string => b.op('Gather', [b.weight([2, hidden]), ids]);
  const terms = [
    () => b.op('Gather', [b.weight([VOCABULARY, hidden]), 'input_ids']),
    b.one(
      () => () => rows(b.op('Slice', [b.s64(counted, [1, POSITIONS]), b.s64([0]), length, b.s64([1])])),
      () => () => rows(b.op('Range', [b.s64([0], []), b.op('Squeeze', [length]), b.s64([1], [])])),
    ),
    b.one(
      () => () => {
        inputs.push('token_type_ids');
        return types('token_type_ids');
      },
      () => () =>
        types(b.op('ConstantOfShape', [shape], { value: { type: 'tensor', value: makeTensor('', 's64', [1], BigInt64Array.of(0n)) } })),
    ),
  ].map((term) => term());
  return terms.reduce((sum, term) => b.both('Add', sum, term));
}

function norm(b: Sketch, x: string, hidden: number): string {
  const lead = b.below(2) ? [] : [1, 1];
  const [scale, bias] = [b.weight([...lead, hidden]), b.weight([...lead, hidden])];
  if (b.opset >= 17 && b.below(3) === 0) return b.op('LayerNormalization', [x, scale, bias], { axis: int(-1) });
  const mean = b.mean(x);
  const centred = b.op('Sub', [x, mean]);
  const square = b.one(
    () => b.op('Mul', [centred, centred]),
    () => b.op('Pow', [centred, b.scalar(2)]),
  );
  const root = b.op('Sqrt', [b.both('Add', b.mean(square), b.scalar(1e-5))]);
  if (b.below(3) === 0) {
    const factor = b.both('Mul', b.op('Reciprocal', [root]), scale);
    return b.both('Add', b.both('Mul', x, factor), b.op('Sub', [bias, b.both('Mul', mean, factor)]));
  }
  return b.both('Add', b.both('Mul', b.op('Div', [centred, root]), scale), bias);
}

function linear(b: Sketch, x: string, [inputs, outputs]: readonly [number, number]): string {
  const product = b.one(
    () => b.op('MatMul', [x, b.weight([inputs, outputs], 0.5)]),
    () => b.op('MatMul', [x, b.op('Transpose', [b.weight([outputs, inputs], 0.5)], { perm: ints(1, 0) })]),
    () => {
      const rows = b.op('MatMul', [b.op('Reshape', [x, b.s64([-1, inputs])]), b.weight([inputs, outputs], 0.5)]);
      const lead = b.op('Slice', [b.op('Shape', [x]), b.s64([0]), b.s64([2])]);
      return b.op('Reshape', [rows, b.op('Concat', [lead, b.s64([outputs])], { axis: int(0) })]);
    },
  );
  return b.both('Add', product, b.weight([outputs], 0.3));
}

function gelu(b: Sketch, x: string): string {
  const erf = b.op('Erf', [b.op('Div', [x, b.scalar(Math.SQRT2)])]);
  return b.one(
    () => b.both('Mul', b.both('Mul', x, b.both('Add', erf, b.scalar(1))), b.scalar(0.5)),
    () => b.both('Mul', b.both('Mul', x, b.scalar(0.5)), b.both('Add', erf, b.scalar(1))),
    () => b.op('Relu', [x]),
    () => b.op('Tanh', [x]),
  );
}

/** What is done to scores under the mask. */
function masking(b: Sketch): (scores: string) => string {
  const mask = b.op('Unsqueeze', ['attention_mask', b.s64([1, 2])]);
  const real = b.op('Cast', [mask], { to: int(1) });
  return b.one(
    () => {
      const additive = b.both('Mul', b.op('Sub', [b.scalar(1), real]), b.scalar(-10000));
      return (scores) => b.both('Add', scores, additive);
    },
    () => {
      const isToken = b.op('Cast', [mask], { to: int(9) });
      return (scores) => b.op('Where', [isToken, scores, b.scalar(-3.4028234663852886e38)]);
    },
    () => {
      const pairs = b.op('Mul', [real, b.op('Transpose', [real], { perm: ints(0, 1, 3, 2) })]);
      const additive = b.both('Mul', b.op('Sub', [b.scalar(1), pairs]), b.scalar(-1e9));
      return (scores) => b.both('Add', scores, additive);
    },
  );
}

function attention(b: Sketch, x: string, heads: number, size: number, mask: (scores: string) => string): string {
  const hidden = heads * size;
  const split = (perm: readonly number[]): string =>
    b.op('Transpose', [b.op('Reshape', [linear(b, x, [hidden, hidden]), b.s64([0, 0, heads, size])])], { perm: ints(...perm) });
  const [q, k, v] = [split([0, 2, 1, 3]), split([0, 2, 3, 1]), split([0, 2, 1, 3])];
  const scores = b.one(
    () => b.op('Div', [b.op('MatMul', [q, k]), b.scalar(Math.sqrt(size))]),
    () => b.op('MatMul', [b.both('Mul', q, b.scalar(1 / Math.sqrt(size))), k]),
  );
  const probabilities = b.op('Softmax', [mask(scores)], { axis: int(b.below(2) ? -1 : 3) });
  if (b.below(4) === 0) b.outputs.push(probabilities);
  return b.op('Reshape', [b.op('Transpose', [b.op('MatMul', [probabilities, v])], { perm: ints(0, 2, 1, 3) }), b.s64([0, 0, hidden])]);
}

function encoder(seed: number): { bytes: Uint8Array; inputs: string[] } {
  const b = new Sketch(seed * 2654435761);
  const [heads, size] = [1 + b.below(3), 3 + b.below(3)];
  const hidden = heads * size;
  const inputs = ['input_ids', 'attention_mask'];
  let x = embeddings(b, hidden, inputs);
  const mask = masking(b);
  for (let layer = 0; layer < 2; layer++) {
    const attended = norm(b, b.both('Add', x, linear(b, attention(b, x, heads, size, mask), [hidden, hidden])), hidden);
    x = norm(b, b.both('Add', attended, linear(b, gelu(b, linear(b, attended, [hidden, 8])), [8, hidden])), hidden);
    if (b.below(4) === 0) b.outputs.push(attended);
  }
  b.outputs.push(x, b.op('Gather', [x, b.s64([0], [])], { axis: int(1) }));
  return { bytes: b.bytes(inputs), inputs };
}

const COLUMNS: Readonly<Record<string, (i: number) => number>> = {
  input_ids: (i) => (i * 7 + 3) % VOCABULARY,
  attention_mask: (i) => Number(i % LENGTH < LENGTHS[Math.floor(i / LENGTH)]!),
  token_type_ids: (i) => i % 2,
};
const column = (name: string): OrtTensor =>
  new OrtTensor(
    'int64',
    BigInt64Array.from({ length: BATCH * LENGTH }, (_, i) => BigInt(COLUMNS[name]!(i))),
    [BATCH, LENGTH],
  );

it.each(SEEDS)('computes what ONNX Runtime computes of encoder %i', async (seed) => {
  const { bytes, inputs } = encoder(seed);
  const feeds = Object.fromEntries(inputs.map((name) => [name, column(name)]));
  const peer = await InferenceSession.create(bytes, { graphOptimizationLevel: 'disabled', logSeverityLevel: 3, intraOpNumThreads: 1 });
  const want = await peer.run(feeds);
  await peer.release();
  await using session = await (await load(bytes, { cache: false })).session({ threads: 1 });
  const got = await session.run(feeds);
  expect(Object.keys(got).sort()).toEqual(Object.keys(want).sort());
  for (const [name, { dims, data }] of Object.entries(want)) {
    expect(got[name]!.dims).toEqual(dims);
    const values = data as Float32Array;
    const width = values.length / (BATCH * (dims.includes(LENGTH) ? LENGTH : 1));
    for (const [i, value] of (got[name]!.data as Float32Array).entries()) {
      // What masked tokens give carries no meaning. Their axis is the second, or the third where heads stand before it.
      const inner = dims.length === 4 ? LENGTH : width;
      const [token, row] = [Math.floor(i / inner) % LENGTH, Math.floor(i / (values.length / BATCH))];
      if (dims.includes(LENGTH) && token >= LENGTHS[row]!) continue;
      if (!(Math.abs(value - values[i]!) <= 1e-4 + 1e-3 * Math.abs(values[i]!)))
        expect.fail(`${name}[${i}] is ${value}, ONNX Runtime has ${values[i]}`);
    }
  }
});
