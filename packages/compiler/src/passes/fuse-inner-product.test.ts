import { describe, expect, it } from 'vitest';
import { expectSameOutputs, expectUnchanged, type GraphBuilder, graphOf, opsOf, reasonsOf, runAll } from '../__fixtures__/build-graph';
import { absorbActivation, absorbBias, absorbResidual, lowerGemm, lowerMatMul, unflattenProduct } from './fuse-inner-product';

const ALL = [lowerMatMul, lowerGemm, unflattenProduct, absorbBias, absorbResidual, absorbBias, absorbActivation];
const [K, N] = [6, 4];
const x3 = (b: GraphBuilder): string => b.input('x', 'f32', ['batch', 'seq', K]);
const product = (b: GraphBuilder): string => b.op('MatMul', [x3(b), b.weight([K, N])]);

const spellings: [string, (b: GraphBuilder) => string, Record<string, unknown>][] = [
  ['a bare product', product, { transposed: false, activation: 'none' }],
  [
    'a product by a transposed constant',
    (b) => b.op('MatMul', [x3(b), b.op('Transpose', [b.weight([N, K])], { perm: [1, 0] })]),
    { transposed: true },
  ],
  ['bias after', (b) => b.op('Add', [product(b), b.weight([N], 2)]), {}],
  ['bias before', (b) => b.op('Add', [b.weight([N], 2), product(b)]), {}],
  ['bias with leading ones', (b) => b.op('Add', [product(b), b.weight([1, 1, N], 2)]), {}],
  ['residual', (b) => b.op('Add', [b.op('Add', [product(b), b.weight([N], 2)]), b.input('r', 'f32', ['batch', 'seq', N])]), {}],
  ['residual on the left', (b) => b.op('Add', [b.input('r', 'f32', ['batch', 'seq', N]), b.op('Add', [product(b), b.weight([N], 2)])]), {}],
  ['residual before bias', (b) => b.op('Add', [b.op('Add', [product(b), b.input('r', 'f32', ['batch', 'seq', N])]), b.weight([N], 2)]), {}],
  ['gelu', (b) => b.op('Gelu', [b.op('Add', [product(b), b.weight([N], 2)])], { approximate: 'none' }), { activation: 'gelu_erf' }],
  ['gelu of the tanh form', (b) => b.op('Gelu', [product(b)], { approximate: 'tanh' }), { activation: 'gelu_tanh' }],
  ['relu', (b) => b.op('Relu', [product(b)]), { activation: 'relu' }],
  ['tanh', (b) => b.op('Tanh', [product(b)]), { activation: 'tanh' }],
  ['sigmoid', (b) => b.op('Sigmoid', [product(b)]), { activation: 'sigmoid' }],
  [
    'Gemm with transB',
    (b) => b.op('Gemm', [b.input('x', 'f32', ['batch', K]), b.weight([N, K]), b.weight([N], 2)], { transB: 1 }),
    { transposed: true },
  ],
  ['Gemm without a third operand', (b) => b.op('Gemm', [b.input('x', 'f32', ['batch', K]), b.weight([K, N])]), { transposed: false }],
  [
    'Gemm, tanh',
    (b) => b.op('Tanh', [b.op('Gemm', [b.input('x', 'f32', ['batch', K]), b.weight([K, N]), b.weight([1, N], 2)])]),
    { activation: 'tanh' },
  ],
  [
    'rows flattened around it',
    (b) => {
      const flat = b.op('Reshape', [x3(b), b.ints(-1, K)]);
      const rows = b.op('Gemm', [flat, b.weight([K, N]), b.weight([N], 2)]);
      const dims = b.op('Concat', [b.op('Shape', ['x'], { end: 2 }), b.ints(N)], { axis: 0 });
      return b.op('Add', [b.op('Reshape', [rows, dims]), b.input('r', 'f32', ['batch', 'seq', N])]);
    },
    {},
  ],
];

describe('inner products', () => {
  it.each(spellings)('fuses %s', (_, build, attributes) => {
    const before = graphOf(build);
    const after = runAll(ALL, before);
    expect(opsOf(after).filter((op) => op !== 'Transpose')).toEqual(['InnerProduct']);
    expect(after.nodes.at(-1)!.attributes).toMatchObject(attributes);
    expectSameOutputs(before, after, { maxAbs: 2e-6 });
  });

  it('keeps the names of what it replaces', () => {
    const before = graphOf((b) => b.op('Add', [product(b), b.weight([N], 2)]));
    const after = runAll(ALL, before);
    expect(after.nodes[0]!.outputs).toEqual(before.outputs);
    expect(after.nodes[0]!.name).toBe(before.nodes[1]!.name);
  });

  it.each([
    ['a product of two activations', (b: GraphBuilder) => b.op('MatMul', [x3(b), b.input('y', 'f32', [K, N])]), []],
    [
      'a stack of matrices',
      (b: GraphBuilder) => b.op('MatMul', [b.input('x', 'f32', [2, 3, K]), b.weight([2, K, N])]),
      ['the constant is no matrix'],
    ],
    [
      'another dtype',
      (b: GraphBuilder) =>
        b.op('MatMul', [b.input('x', 'f64', [2, K]), b.constant({ dtype: 'f64', dims: [K, N], data: new Float64Array(K * N) })]),
      ['it multiplies f64 by f64'],
    ],
    [
      'a vector',
      (b: GraphBuilder) => b.op('MatMul', [b.input('x', 'f32', [K]), b.weight([K, N])]),
      ['the rank of its first operand is unknown or below 2'],
    ],
  ])('leaves %s alone', (_, build, reasons) => {
    const graph = graphOf(build);
    expectUnchanged(lowerMatMul, graph);
    expect(reasonsOf(lowerMatMul, graph)).toEqual(reasons);
  });

  it.each([
    ['alpha', { alpha: 2 }, 'it scales its operands'],
    ['beta', { beta: 0.5 }, 'it scales its operands'],
  ])('declines a Gemm with %s', (_, attributes, reason) => {
    const graph = graphOf((b) => b.op('Gemm', [b.input('x', 'f32', ['batch', K]), b.weight([K, N]), b.weight([N])], attributes));
    expect(reasonsOf(lowerGemm, graph)).toEqual([reason]);
  });

  it('declines a Gemm whose first operand is transposed', () => {
    const graph = graphOf((b) => b.op('Gemm', [b.input('x', 'f32', [K, 'batch']), b.weight([K, N])], { transA: 1 }));
    expect(reasonsOf(lowerGemm, graph)).toEqual(['its first operand is transposed']);
  });

  it('does not take a broadcast summand for a residual', () => {
    const graph = graphOf((b) => b.op('Add', [product(b), b.input('r', 'f32', ['batch', 1, N])]));
    expect(opsOf(runAll(ALL, graph))).toEqual(['InnerProduct', 'Add']);
    expect(reasonsOf(absorbResidual, runAll([lowerMatMul], graph))).toEqual(['the summand has another shape, or an unknown one']);
  });

  it('does not take a second bias, nor a summand after the activation', () => {
    const twice = graphOf((b) => b.op('Add', [b.op('Add', [product(b), b.weight([N], 2)]), b.weight([N], 3)]));
    expect(opsOf(runAll(ALL, twice))).toEqual(['InnerProduct', 'Add']);
    const late = graphOf((b) => b.op('Add', [b.op('Relu', [product(b)]), b.weight([N], 2)]));
    expect(opsOf(runAll([...ALL, absorbBias], late))).toEqual(['InnerProduct', 'Add']);
  });

  it('leaves a product alone that others read too', () => {
    const graph = graphOf((b) => {
      const p = product(b);
      return [b.op('Add', [p, b.weight([N], 2)]), b.op('Relu', [p])];
    });
    expect(opsOf(runAll(ALL, graph))).toEqual(['InnerProduct', 'Add', 'Relu']);
  });

  it('fuses one of two products that are added', () => {
    const before = graphOf((b) => {
      const x = x3(b);
      return b.op('Add', [b.op('MatMul', [x, b.weight([K, N], 1)]), b.op('MatMul', [x, b.weight([K, N], 2)])]);
    });
    const after = runAll(ALL, before);
    expect(opsOf(after)).toEqual(['InnerProduct', 'InnerProduct']);
    expectSameOutputs(before, after, { maxAbs: 2e-6 });
  });
});
