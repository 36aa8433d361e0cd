import { allocate, type DType, type Tensor } from '@neural-engine/core';
import type { Attributes } from '../graph';
import type { AttributeSpec, OpSchema } from '../schema';
import { fromNumbers, isBig, numbersOf } from './cells';
import { onnx, slots } from './define';
import { erf } from './erf';
import { likeFirst } from './support';

type Fn = (x: number) => number;

/** `f` on every element, rounded once to the dtype of the input. */
export function mapNumbers(x: Tensor, dtype: DType, f: Fn): Tensor {
  const values = numbersOf(x);
  const out = new Float64Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = f(values[i]!);
  return fromNumbers(dtype, x.dims, out);
}

/** `f` on every element of a 64-bit integer tensor, wrapped to 64 bits. */
function mapBig(x: Tensor, f: (x: bigint) => bigint): Tensor {
  const data = allocate(x.dtype, x.data.length) as BigInt64Array;
  const values = x.data as BigInt64Array;
  for (let i = 0; i < data.length; i++) data[i] = f(values[i]!);
  return { dtype: x.dtype, dims: x.dims, data };
}

interface UnaryOptions {
  readonly takes?: string;
  /** For dtypes whose elements are bigints. */
  readonly big?: (x: bigint) => bigint;
}

/** An operator without attributes that maps each element on its own and keeps dtype and shape. */
export const unary = (op: string, summary: string, f: Fn, { takes = 'float', big }: UnaryOptions = {}): OpSchema =>
  onnx(op, {
    summary,
    inputs: slots(`X: T=${takes}`),
    outputs: slots('Y: T'),
    infer: likeFirst,
    evaluate: ([x]) => [big && isBig(x!.dtype) ? mapBig(x!, big) : mapNumbers(x!, x!.dtype, f)],
  });

/** Like {@link unary}, with attributes that choose the function. */
export const parametricUnary = (
  op: string,
  summary: string,
  attributes: Record<string, AttributeSpec>,
  choose: (attributes: Attributes) => Fn,
  takes = 'float',
): OpSchema =>
  onnx(op, {
    summary,
    inputs: slots(`X: T=${takes}`),
    outputs: slots('Y: T'),
    attributes,
    infer: likeFirst,
    evaluate: ([x], given) => [mapNumbers(x!, x!.dtype, choose(given))],
  });

/** Rounds to the nearest integer, ties to even; zeros keep the sign of `x`. */
export function roundEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest === 0) return x;
  const nearest = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
  return nearest === 0 && x < 0 ? -0 : nearest;
}

const absBig = (x: bigint): bigint => (x < 0n ? -x : x);

/** Elementwise mathematics without attributes. */
export const UNARY_SCHEMAS: readonly OpSchema[] = [
  unary('Abs', 'Magnitude of each element.', Math.abs, { takes: 'number', big: absBig }),
  unary('Neg', 'Each element with the opposite sign.', (x) => -x, { takes: 'number', big: (x) => -x }),
  unary('Sign', '−1, 0 or 1 by the sign of each element.', Math.sign, { takes: 'number', big: (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n) }),
  unary('Exp', 'e to the power of each element.', Math.exp),
  unary('Log', 'Natural logarithm.', Math.log),
  unary('Sqrt', 'Square root; NaN below zero.', Math.sqrt),
  unary('Reciprocal', 'One over each element.', (x) => 1 / x),
  unary('Erf', 'The error function.', erf, { takes: 'number' }),
  unary('Floor', 'The greatest integer not above each element.', Math.floor),
  unary('Ceil', 'The least integer not below each element.', Math.ceil),
  unary('Round', 'The nearest integer, ties to even.', roundEven),
  unary('Sin', 'Sine.', Math.sin),
  unary('Cos', 'Cosine.', Math.cos),
  unary('Tan', 'Tangent.', Math.tan),
  unary('Asin', 'Inverse sine.', Math.asin),
  unary('Acos', 'Inverse cosine.', Math.acos),
  unary('Atan', 'Inverse tangent.', Math.atan),
  unary('Sinh', 'Hyperbolic sine.', Math.sinh),
  unary('Cosh', 'Hyperbolic cosine.', Math.cosh),
  unary('Asinh', 'Inverse hyperbolic sine.', Math.asinh),
  unary('Acosh', 'Inverse hyperbolic cosine.', Math.acosh),
  unary('Atanh', 'Inverse hyperbolic tangent.', Math.atanh),
  unary('Tanh', 'Hyperbolic tangent.', Math.tanh),
];
