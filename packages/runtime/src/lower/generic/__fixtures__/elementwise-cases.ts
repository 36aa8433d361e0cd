import type { DType } from '@neural-engine/core';
import type { NodeCase } from './run-node';
import { literal, random } from './tensors';

const FLOATS: readonly DType[] = ['f32', 'f64', 'f16', 'bf16'];
const INTEGERS: readonly DType[] = ['u8', 's8', 'u16', 's16', 'u32', 's32', 'u64', 's64'];
const ALL: readonly DType[] = [...FLOATS, ...INTEGERS, 'bool'];

const SHAPES = [
  [
    [2, 3, 4],
    [2, 3, 4],
  ],
  [
    [2, 1, 4],
    [3, 1],
  ],
  [[], [5]],
  [[3, 4], [1]],
] as const;

const unary = (op: string, dtypes: readonly DType[], range?: [number, number], attributes = {}): NodeCase[] =>
  dtypes.map((dtype) => ({ op, inputs: [random(dtype, [3, 7], range)], attributes }));

/** Each dtype once, over changing broadcasts. */
const binary = (op: string, dtypes: readonly DType[], range?: [number, number], attributes = {}): NodeCase[] =>
  dtypes.map((dtype, i) => {
    const [a, b] = SHAPES[i % SHAPES.length]!;
    return { op, inputs: [random(dtype, a), random(dtype, b, range)], attributes };
  });

/** A divisor must not be 0. */
const NOT_ZERO: [number, number] = [1, 5];

export const ELEMENTWISE_CASES: readonly NodeCase[] = [
  ...['Abs', 'Neg', 'Sign', 'Relu'].flatMap((op) => unary(op, [...FLOATS, ...INTEGERS])),
  ...['Exp', 'Erf', 'Sigmoid', 'Softplus', 'Softsign', 'Tanh', 'Mish', 'HardSwish', 'Sin', 'Cos', 'Sinh', 'Cosh', 'Asinh', 'Atan'].flatMap(
    (op) => unary(op, FLOATS),
  ),
  ...['Floor', 'Ceil', 'Round'].flatMap((op) => unary(op, FLOATS, [-3, 3])),
  ...['Tan', 'Asin', 'Acos', 'Atanh'].flatMap((op) => unary(op, ['f32', 'f64'], [-0.9, 0.9])),
  ...['Log', 'Sqrt', 'Reciprocal'].flatMap((op) => unary(op, FLOATS, [0.1, 9])),
  ...unary('Acosh', FLOATS, [1.1, 5]),
  ...unary('Erf', ['s32']),
  ...unary('LeakyRelu', FLOATS, undefined, { alpha: 0.1 }),
  ...unary('ThresholdedRelu', FLOATS, undefined, { alpha: 1.5 }),
  ...unary('Elu', FLOATS, undefined, { alpha: 0.7 }),
  ...unary('Celu', FLOATS, undefined, { alpha: 2 }),
  ...unary('Selu', FLOATS),
  ...unary('HardSigmoid', FLOATS, undefined, { alpha: 0.5, beta: 0.6 }),
  ...unary('Shrink', [...FLOATS, 's32'], undefined, { lambd: 1.5, bias: 1 }),
  ...unary('Gelu', FLOATS),
  ...unary('Gelu', ['f32'], undefined, { approximate: 'tanh' }),
  ...unary('Not', ['bool']),
  ...unary('BitwiseNot', INTEGERS),
  ...unary('Identity', ALL),
  { op: 'IsNaN', inputs: [literal('f32', [1, Number.NaN, Number.POSITIVE_INFINITY])] },
  { op: 'IsInf', inputs: [literal('f16', [1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])] },
  { op: 'IsInf', inputs: [literal('f64', [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])], attributes: { detect_negative: 0 } },
  ...['Add', 'Sub', 'Mul', 'Max', 'Min'].flatMap((op) => binary(op, [...FLOATS, ...INTEGERS])),
  ...binary('Div', [...FLOATS, ...INTEGERS], NOT_ZERO),
  ...binary('Mod', INTEGERS, NOT_ZERO),
  ...binary('Mod', ['f32', 's32'], NOT_ZERO, { fmod: 1 }),
  ...['And', 'Or', 'Xor'].flatMap((op) => binary(op, ['bool'])),
  ...['BitwiseAnd', 'BitwiseOr', 'BitwiseXor'].flatMap((op) => binary(op, INTEGERS)),
  ...['LEFT', 'RIGHT'].flatMap((direction) => binary('BitShift', ['u8', 'u16', 'u32', 'u64'], [0, 3], { direction })),
  ...binary('Equal', ALL),
  ...['Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'].flatMap((op) => binary(op, [...FLOATS, ...INTEGERS])),
  { op: 'Pow', inputs: [random('f32', [2, 3], [0.1, 2]), random('f32', [3])] },
  { op: 'Pow', inputs: [random('f32', [5]), literal('s64', [2], [])] },
  { op: 'Pow', inputs: [random('s32', [5]), literal('s32', [3], [])] },
  { op: 'Pow', inputs: [random('s64', [5], [0, 9]), literal('f32', [0.5], [])] },
  { op: 'PRelu', inputs: [random('f32', [2, 3, 4]), random('f32', [3, 1])] },
  { op: 'PRelu', inputs: [random('s32', [4]), random('s32', [1])] },
  { op: 'Sum', inputs: [random('f32', [2, 3]), random('f32', [3]), random('f32', [2, 1])] },
  { op: 'Sum', inputs: [random('f32', [4])] },
  { op: 'Mean', inputs: [random('f64', [2, 1]), random('f64', [3]), random('f64', [])] },
  { op: 'Mean', inputs: [random('f32', [4])] },
  { op: 'Max', inputs: [random('s64', [4, 1]), random('s64', [3]), random('s64', [1, 1]), random('s64', [])] },
  { op: 'Clip', inputs: [random('f32', [9]), literal('f32', [-1], []), literal('f32', [2], [])] },
  { op: 'Clip', inputs: [random('s8', [9]), undefined, literal('s8', [2], [])] },
  { op: 'Clip', inputs: [random('f16', [9])] },
  ...ALL.map((dtype): NodeCase => ({ op: 'Where', inputs: [random('bool', [3, 1]), random(dtype, [4]), random(dtype, [])] })),
  // Every dtype to every other, with numbers that all of them hold.
  ...ALL.flatMap((from) => ALL.map((to): NodeCase => ({ op: 'Cast', inputs: [random(from, [6], [0, 2])], attributes: { to } }))),
  { op: 'Cast', inputs: [literal('f32', [-1.9, 1.9, 2 ** 20 + 1])], attributes: { to: 's64' } },
  { op: 'Cast', inputs: [literal('s64', [2 ** 40 + 5, -1, 300])], attributes: { to: 'u8' } },
  { op: 'Cast', inputs: [literal('f64', [1 + 2 ** -11 + 2 ** -40, 65519, 65520, -1e-8])], attributes: { to: 'f16' } },
  { op: 'CastLike', inputs: [random('f32', [4]), random('bf16', [1])] },
  { op: 'Dropout', inputs: [random('f32', [2, 3])], outputs: 2 },
  { op: 'Dropout', inputs: [random('f32', [2, 3]), literal('f32', [0.5], [])] },
];
