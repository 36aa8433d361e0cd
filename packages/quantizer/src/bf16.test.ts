import { compile } from '@neural-engine/compiler';
import { fromBf16, fromF16, type Tensor, toF16 } from '@neural-engine/core';
import { evaluateGraph, Graph, inferShapes } from '@neural-engine/ir';
import { decodeModel, encodeModel, makeGraph, makeModel, makeNode, makeTensor, makeValueInfo } from '@neural-engine/onnx';
import { describe, expect, it } from 'vitest';
import { quantizeGraph, roundWeight, toBf16Graph, toBf16Onnx } from './index';

const [K, N] = [24, 16];
const wave = (n: number, seed: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(i * 12.9898 + seed));
const f32 = (dims: number[], data: Float32Array): Tensor => ({ dtype: 'f32', dims, data });

/** Two products of one weight each and a third that shares the second's. */
function sample(weight = wave(K * N, 1)): Graph {
  const graph = new Graph('sample');
  graph.addValue({ name: 'x', dtype: 'f32', shape: ['batch', K] });
  graph.inputs = ['x'];
  const first = graph.addConstant('first', f32([K, N], weight));
  const second = graph.addConstant('second', f32([K, N], wave(K * N, 2)));
  for (const [name, w] of [
    ['a', first],
    ['b', second],
    ['c', second],
  ] as const) {
    graph.addValue({ name, dtype: 'f32', shape: undefined });
    graph.nodes.push({ name: `make_${name}`, op: 'InnerProduct', inputs: ['x', w], outputs: [name], attributes: {} });
  }
  graph.outputs = ['a', 'b', 'c'];
  inferShapes(graph);
  return graph;
}

const dtypes = (graph: Graph): string[] => graph.nodes.map((node) => graph.constant(node.inputs[1])!.dtype);

describe('toBf16Graph', () => {
  it('rounds the weights of products and, when they run, their inputs', () => {
    const source = sample();
    const graph = toBf16Graph(source);
    expect(dtypes(graph)).toEqual(['bf16', 'bf16', 'bf16']);
    expect(graph.nodes[1]!.inputs[1]).toBe(graph.nodes[2]!.inputs[1]);
    expect(dtypes(source)).toEqual(['f32', 'f32', 'f32']);
    const x = f32([2, K], wave(2 * K, 7));
    const round = (values: Float32Array): Float32Array =>
      Float32Array.from(roundWeight(f32([values.length], values), 'x').data as Uint16Array, fromBf16);
    const rounded = sample(round(wave(K * N, 1)));
    const want = evaluateGraph(rounded, { x: f32([2, K], round(x.data as Float32Array)) }).get('a')!;
    expect(evaluateGraph(graph, { x }).get('a')).toEqual(want);
  });
  it('keeps what the recipe keeps', () => {
    expect(dtypes(toBf16Graph(sample(), { keep: ['make_b'] }))).toEqual(['bf16', 'f32', 'bf16']);
    expect(() => toBf16Graph(sample(), { keep: ['nobody'] })).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
  });
  it.each([
    ['NaN', Number.NaN, /NaN.*not a finite number/],
    ['infinite', Number.NEGATIVE_INFINITY, /-Infinity.*not a finite number/],
    ['beyond bf16', 3.4e38, /above the largest bf16/],
  ])('refuses a weight that is %s', (_, value, message) => {
    const weight = wave(K * N, 1);
    weight[5] = value;
    expect(() => toBf16Graph(sample(weight))).toThrow(
      expect.objectContaining({ code: 'E_QUANT', message: expect.stringMatching(message) }),
    );
  });
  it('is refused to a model that is quantised already, and so is int8 to one of bf16', () => {
    expect(() => toBf16Graph(toBf16Graph(sample()))).toThrow(expect.objectContaining({ code: 'E_QUANT' }));
    expect(() => quantizeGraph(toBf16Graph(sample()), new Map())).toThrow(expect.objectContaining({ code: 'E_QUANT' }));
  });
});

describe('roundWeight', () => {
  it('rounds to nearest, ties to even', () => {
    const ties = Float32Array.of(1 + 1 / 256, 1 + 3 / 256, -1 - 1 / 256, 1 + 1 / 256 + 2 ** -20, 0, -0);
    expect([...roundWeight(f32([6], ties), 'w').data]).toEqual([0x3f80, 0x3f82, 0xbf80, 0x3f81, 0, 0x8000]);
  });
});

/** x · a, x · b + bias by Gemm, and a product that is left alone. */
const onnxModel = (opset = 13) =>
  makeModel(
    makeGraph({
      nodes: [
        // Stored as f16, as files are that want to be small.
        makeNode('Cast', ['a_f16'], ['a'], { attributes: { to: { type: 'int', value: 1n } } }),
        makeNode('MatMul', ['x', 'a'], ['y']),
        makeNode('Gemm', ['x', 'b', 'bias'], ['z'], { attributes: { transB: { type: 'int', value: 1n } } }),
        makeNode('MatMul', ['x', 'keep'], ['u']),
      ],
      inputs: [makeValueInfo('x', 'f32', ['batch', K])],
      outputs: ['y', 'z', 'u'].map((name) => makeValueInfo(name, 'f32', ['batch', N])),
      initializers: [
        makeTensor('a_f16', 'f16', [K, N], Uint16Array.from(wave(K * N, 1), toF16)),
        makeTensor('b', 'f32', [N, K], wave(K * N, 2)),
        makeTensor('bias', 'f32', [N], wave(N, 3)),
        makeTensor('keep', 'f32', [K, N], wave(K * N, 4)),
      ],
    }),
    { opsets: opset },
  );

const weightsOf = (...names: string[]): Map<string, Tensor> =>
  new Map(
    names.map((name) => [
      name,
      name === 'b'
        ? f32([N, K], wave(K * N, 2))
        : f32(
            [K, N],
            wave(K * N, 1).map((x) => fromF16(toF16(x))),
          ),
    ]),
  );

describe('toBf16Onnx', () => {
  it('stores the weights as bf16, and the file compiles to what toBf16Graph makes', () => {
    const model = decodeModel(encodeModel(toBf16Onnx(onnxModel(), weightsOf('a', 'b'))));
    const stored = [...model.graph.initializers.values()].map(({ name, dtype }) => `${name} ${dtype}`);
    expect(stored.sort()).toEqual(['a_bf16 bf16', 'b_bf16 bf16', 'bias f32', 'keep f32']);
    const graph = compile(model);
    const direct = toBf16Graph(compile(onnxModel()), {
      keep: compile(onnxModel())
        .nodes.slice(2)
        .map(({ name }) => name),
    });
    expect(graph.nodes.map(({ op }) => op)).toEqual(['InnerProduct', 'InnerProduct', 'InnerProduct']);
    expect(dtypes(graph).sort()).toEqual(['bf16', 'bf16', 'f32']);
    const feeds = { x: f32([3, K], wave(3 * K, 9)) };
    const [got, want] = [evaluateGraph(graph, feeds), evaluateGraph(direct, feeds)];
    for (const name of ['y', 'z', 'u']) expect(got.get(name)).toEqual(want.get(name));
  });
  it('refuses a weight that no product reads and an operator set without bf16', () => {
    expect(() => toBf16Onnx(onnxModel(), weightsOf('a', 'nothing'))).toThrow(
      expect.objectContaining({ code: 'E_UNSUPPORTED', message: expect.stringContaining('nothing') }),
    );
    expect(() => toBf16Onnx(onnxModel(12), weightsOf('a'))).toThrow(expect.objectContaining({ code: 'E_UNSUPPORTED' }));
  });
});
