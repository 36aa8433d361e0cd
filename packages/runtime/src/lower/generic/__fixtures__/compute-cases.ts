import type { DType } from '@neural-engine/core';
import type { NodeCase } from './run-node';
import { literal, random } from './tensors';

const FLOATS: readonly DType[] = ['f32', 'f64', 'f16', 'bf16'];
const s64 = (...values: number[]) => literal('s64', values);
const x = (...dims: number[]) => random('f32', dims);
const positive = (...dims: number[]) => random('f32', dims, [0.5, 2]);

const REDUCTIONS = ['Sum', 'Mean', 'Max', 'Min', 'Prod', 'L1', 'L2', 'LogSum', 'LogSumExp', 'SumSquare'].map((name) => `Reduce${name}`);
const EQUATIONS: readonly (readonly [string, ...number[][]])[] = [
  ['ij,jk', [2, 3], [3, 4]],
  ['ij,jk->ki', [2, 3], [3, 4]],
  ['bij,bjk->bik', [2, 3, 4], [2, 4, 2]],
  ['...ij,...jk->...ik', [2, 1, 3, 4], [5, 4, 2]],
  ['ii->i', [3, 3]],
  ['ii', [3, 3]],
  ['ij->', [2, 3]],
  ['ij->ji', [2, 3]],
  ['i,j->ij', [2], [3]],
  ['i,i', [4], [4]],
  ['i,i->i', [4], [4]],
  ['bn,anm,bm->ba', [2, 3], [4, 3, 5], [2, 5]],
  ['ab,b->a', [2, 1], [3]],
];

const reductions = REDUCTIONS.flatMap((op): NodeCase[] => [
  { op, inputs: [positive(2, 3, 4), s64(1)] },
  { op, inputs: [positive(2, 3, 4), s64(-1, 0)], attributes: { keepdims: 0 } },
  { op, inputs: [positive(2, 3, 4)] },
  { op, inputs: [positive(2, 3), s64()], attributes: { noop_with_empty_axes: 1 } },
  { op, inputs: [positive(2, 1), s64(1)], attributes: { keepdims: 0 } },
  ...(['f64', 'f16', 's32', 's64', 'u32'] as const).map((dtype): NodeCase => ({ op, inputs: [random(dtype, [4, 3], [1, 4]), s64(0)] })),
]);

const alongAxis = ['Softmax', 'LogSoftmax', 'Hardmax', 'LpNormalization'].flatMap((op) =>
  FLOATS.map((dtype, i): NodeCase => ({ op, inputs: [random(dtype, [2, 5, 3])], attributes: { axis: i - 1 } })),
);

const extremes = ['ArgMax', 'ArgMin'].flatMap((op): NodeCase[] => [
  { op, inputs: [random('s32', [3, 9], [0, 3])], attributes: { axis: 1, select_last_index: 1 } },
  { op, inputs: [random('u8', [3, 9], [0, 3])], attributes: { axis: 0, keepdims: 0 } },
  { op, inputs: [x(2, 3, 4)], attributes: { axis: -2 } },
]);

const sums = [0, 1].flatMap((exclusive) =>
  [0, 1].map(
    (reverse): NodeCase => ({
      op: 'CumSum',
      inputs: [random('s64', [2, 5]), literal('s64', [-1], [])],
      attributes: { exclusive, reverse },
    }),
  ),
);

const products: readonly (readonly [number[], number[]])[] = [
  [
    [2, 3],
    [3, 4],
  ],
  [[3], [3]],
  [[3], [2, 3, 4]],
  [[5, 2, 3], [3]],
  [
    [5, 2, 3],
    [3, 4],
  ],
  [
    [2, 1, 4, 3],
    [5, 3, 2],
  ],
  [
    [2, 0],
    [0, 3],
  ],
];

const byte = (dtype: 'u8' | 's8', dims: number[]) => random(dtype, dims, dtype === 'u8' ? [0, 256] : [-128, 128]);

export const COMPUTE_CASES: readonly NodeCase[] = [
  ...reductions,
  { op: 'ReduceMax', inputs: [random('bool', [3, 2]), s64(1)] },
  { op: 'ReduceMin', inputs: [random('s8', [3, 2]), s64(1)] },
  { op: 'ReduceSum', inputs: [x(2, 0, 3), s64(1)] },
  { op: 'ReduceProd', inputs: [x(0), s64(0)], attributes: { keepdims: 0 } },
  { op: 'ReduceMax', inputs: [x(2, 0), s64(1)] },
  ...extremes,
  ...sums,
  { op: 'CumSum', inputs: [x(2, 5), literal('s32', [0], [])] },
  { op: 'TopK', inputs: [x(3, 5), s64(2)], outputs: 2 },
  { op: 'TopK', inputs: [random('s64', [5, 3], [0, 4]), s64(4)], attributes: { axis: 0, largest: 0 }, outputs: 2 },
  { op: 'TopK', inputs: [x(4), s64(0)], outputs: 2 },
  ...alongAxis,
  ...FLOATS.map(
    (dtype): NodeCase => ({ op: 'LayerNormalization', inputs: [random(dtype, [3, 8]), random(dtype, [8]), random(dtype, [8])] }),
  ),
  { op: 'LayerNormalization', inputs: [x(2, 3, 4), x(3, 1), x(4)], attributes: { axis: 1, epsilon: 0.1 }, outputs: 3 },
  { op: 'LayerNormalization', inputs: [x(2, 4), x(4)], outputs: 2 },
  { op: 'RMSNormalization', inputs: [x(2, 3, 4), x(3, 4)], attributes: { axis: -2 } },
  { op: 'RMSNormalization', inputs: [random('f16', [2, 4]), x(4)] },
  { op: 'InstanceNormalization', inputs: [x(2, 3, 4, 2), x(3), x(3)] },
  { op: 'InstanceNormalization', inputs: [random('f64', [2, 3, 4]), random('f64', [3]), random('f64', [3])] },
  { op: 'GroupNormalization', inputs: [x(2, 4, 3), x(4), x(4)], attributes: { num_groups: 2 } },
  { op: 'BatchNormalization', inputs: [x(2, 3, 4), x(3), x(3), x(3), positive(3)] },
  { op: 'BatchNormalization', inputs: [random('f16', [2, 3]), x(3), x(3), x(3), positive(3)] },
  { op: 'MeanVarianceNormalization', inputs: [x(2, 3, 4, 2)] },
  { op: 'MeanVarianceNormalization', inputs: [x(3, 4)], attributes: { axes: [-1] } },
  ...products.map(([a, b]): NodeCase => ({ op: 'MatMul', inputs: [x(...a), x(...b)] })),
  // Several blocks of sums and columns; all positive, so that nothing cancels.
  { op: 'MatMul', inputs: [positive(40, 300), positive(300, 50)] },
  ...(['f64', 'f16', 'bf16', 's32', 'u32', 's64', 'u64'] as const).map(
    (dtype): NodeCase => ({
      op: 'MatMul',
      inputs: [random(dtype, [2, 3, 5]), random(dtype, [5, 4])],
    }),
  ),
  ...[0, 1].flatMap((transA) =>
    [0, 1].map(
      (transB): NodeCase => ({
        op: 'Gemm',
        inputs: [transA ? x(4, 3) : x(3, 4), transB ? x(5, 4) : x(4, 5), x(5)],
        attributes: { transA, transB, alpha: 0.5, beta: -2 },
      }),
    ),
  ),
  { op: 'Gemm', inputs: [random('s32', [3, 4]), random('s32', [4, 2])] },
  { op: 'MatMulInteger', inputs: [byte('u8', [3, 4]), byte('s8', [4, 2]), literal('u8', [9], []), literal('s8', [-3], [])] },
  { op: 'MatMulInteger', inputs: [byte('u8', [2, 3, 4]), byte('u8', [4, 2]), literal('u8', [9, 8, 7]), literal('u8', [1, 2])] },
  { op: 'MatMulInteger', inputs: [byte('s8', [3, 4]), byte('s8', [4, 2])] },
  {
    op: 'QLinearMatMul',
    inputs: [
      ...[byte('u8', [3, 4]), literal('f32', [0.02], []), literal('u8', [120], [])],
      ...[byte('s8', [4, 2]), literal('f32', [0.01, 0.03]), literal('s8', [3, -2])],
      ...[literal('f32', [0.05], []), literal('u8', [100], [])],
    ],
  },
  {
    op: 'QLinearMatMul',
    inputs: [
      ...[byte('u8', [2, 3, 4]), literal('f16', [0.02], [1]), literal('u8', [120], [])],
      ...[byte('u8', [2, 4, 2]), literal('f16', [0.01], []), literal('u8', [3], [])],
      ...[literal('f16', [0.05], []), literal('s8', [-7], [])],
    ],
  },
  ...EQUATIONS.map(
    ([equation, ...shapes]): NodeCase => ({ op: 'Einsum', inputs: shapes.map((dims) => x(...dims)), attributes: { equation } }),
  ),
  { op: 'InnerProduct', inputs: [x(2, 3, 4), x(4, 5), x(5), x(2, 3, 5)], attributes: { activation: 'gelu_erf' } },
  { op: 'InnerProduct', inputs: [x(3, 4), x(5, 4)], attributes: { transposed: true } },
  { op: 'QuantizeLinear', inputs: [random('f32', [2, 6], [-300, 300]), literal('f32', [1.5], []), literal('u8', [128], [])] },
  { op: 'QuantizeLinear', inputs: [random('f16', [2, 3]), literal('f16', [0.1, 0.2, 0.5]), literal('s8', [0, 1, -4])] },
  { op: 'QuantizeLinear', inputs: [x(2, 5), positive(2, 3)], attributes: { block_size: 2, output_dtype: 's16' } },
  { op: 'QuantizeLinear', inputs: [random('s32', [4], [-99, 99]), literal('f32', [0.5], [])] },
  { op: 'DequantizeLinear', inputs: [byte('u8', [2, 3]), positive(2), byte('u8', [2])], attributes: { axis: 0 } },
  { op: 'DequantizeLinear', inputs: [random('s32', [2, 3], [-9999, 9999]), literal('f16', [0.25], [])] },
  { op: 'DequantizeLinear', inputs: [byte('s8', [4, 2]), positive(2, 2), byte('s8', [2, 2])], attributes: { axis: 0, block_size: 3 } },
  { op: 'DequantizeLinear', inputs: [random('u16', [4], [0, 60000]), literal('f32', [0.001], [])], attributes: { output_dtype: 'f16' } },
  { op: 'DynamicQuantizeLinear', inputs: [x(3, 4)], outputs: 3 },
  { op: 'Embeddings', inputs: [literal('s64', [1, -1, 0, 2], [2, 2]), x(3, 4), x(5, 4), literal('s64', [0, 1, 1, 0], [2, 2]), x(2, 4)] },
  { op: 'Embeddings', inputs: [literal('s32', [1, 0], [1, 2]), x(3, 4), undefined, undefined, x(2, 4)] },
  { op: 'Embeddings', inputs: [literal('s32', [1, 0], [1, 2]), x(3, 4)] },
];
