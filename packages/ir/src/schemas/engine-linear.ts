import { type Dim, formatShape, fromBf16, type Shape, type Tensor, toBf16 } from '@neural-engine/core';
import { unifyDims } from '../dims';
import type { Attributes } from '../graph';
import type { AttributeSpec, InferContext, OpSchema } from '../schema';
import { geluErf, geluTanh, sigmoid } from './activations';
import { broadcastOffsets, fromNumbers, numbersOf, stridedOffsets } from './cells';
import { engine, slots } from './define';
import { matmulMacs, multiply } from './matmul';
import { quantizeByRange, symmetricScale, unsignedScale } from './ranges';
import { input, known, reject, sameDim } from './support';

/** The activations an InnerProduct applies to its sums. */
const ACTIVATIONS: Readonly<Record<string, (x: number) => number>> = {
  none: (x) => x,
  gelu_erf: geluErf,
  gelu_tanh: geluTanh,
  relu: (x) => Math.max(x, 0),
  tanh: Math.tanh,
  sigmoid,
};

/**
 * Whether an operator keeps its activations tokens-first or, as the original's sparse products do, features-first. It changes no value:
 * the engine computes in panels either way. `Reorder` nodes stand where the two meet.
 */
export const LAYOUT: AttributeSpec = { type: 'string', default: 'plain', oneOf: ['plain', 'transposed'] };

/**
 * What an f32 result is rounded to before anyone reads it: `bf16` lets it be kept in half the memory. Its readers get f32 numbers all the
 * same. Magnitudes below 2⁻⁵⁶ become zeros. Results in 8 bits are not rounded before they are coded.
 */
export const ROUNDING: AttributeSpec = { type: 'string', default: 'none', oneOf: ['none', 'bf16'] };

/** What is smaller counts as zero where values are kept as bf16: sums of products of what remains are never subnormal. */
const TINY = 2 ** -56;

/** An f32 tensor as its readers see it, in place. */
export function roundResult(y: Tensor, attributes: Attributes): Tensor {
  if (attributes['rounding'] !== 'bf16') return y;
  const data = y.data as Float32Array;
  for (let i = 0; i < data.length; i++) data[i] = Math.abs(data[i]!) < TINY ? 0 * data[i]! : fromBf16(toBf16(data[i]!));
  return y;
}

/** Slots of InnerProduct that code x as a whole, or token by token. */
const X_RANGE = [4, 5] as const;
const TOKEN_CODES = [12, 13] as const;

const OUTPUT_DTYPES = ['f32', 'u8', 's8'] as const;

const expectLast = (context: InferContext, index: number, size: Dim, allowOne: boolean): void => {
  const shape = context.inputs[index]?.shape;
  if (!shape) return;
  const last = shape.at(-1) ?? null;
  if (shape.length !== 1) context.fail('E_SHAPE', `input ${index} is ${formatShape(shape)}; a vector is needed`);
  if (!(allowOne && last === 1) && unifyDims(last, size) === undefined)
    context.fail('E_SHAPE', `input ${index} has ${last} elements; ${size} are needed`);
};

/** Step and zero point of each token of x: its shape with 1 at the end. */
function expectTokenCodes(context: InferContext, x: Shape | undefined): void {
  for (const index of TOKEN_CODES) {
    const shape = context.inputs[index]?.shape;
    const want = x && [...x.slice(0, -1), 1];
    if (shape && want && (shape.length !== want.length || want.some((dim, i) => unifyDims(dim, shape[i]!) === undefined)))
      context.fail('E_SHAPE', `input ${index} is ${formatShape(shape)}; ${formatShape(want)} is needed`);
  }
}

/** The dtype of an output whose range is among the inputs when it is quantised. */
export function outputDtype(context: InferContext, min: number, max: number): 'f32' | 'u8' | 's8' {
  const dtype = context.attributes['output_dtype'] as 'f32' | 'u8' | 's8';
  if (dtype !== 'f32' && !(context.inputs[min] && context.inputs[max]))
    context.fail('E_QUANT', `output_dtype is ${dtype} and the output range is missing`);
  return dtype;
}

/**
 * activation(x · W + bias + residual).
 *
 * With an s8 weight x is u8, by `x_min`, `x_max` or token by token by `x_step`, `x_zero` (from a DynamicQuantize); the weight is symmetric
 * per output channel by `weight_min`, `weight_max`, and the sums are exact integers before they are scaled. With a bf16 weight x is rounded
 * to bf16, to nearest even, and all else is f32. With `rounding` an f32 result is rounded last.
 */
const innerProduct: OpSchema = engine('InnerProduct', {
  summary: 'activation(x · W + bias + residual), in f32, on x and W as bf16, or with 8-bit weights.',
  inputs: slots(
    'x: f32|u8',
    'weight: f32|s8|bf16',
    'bias?: f32',
    'residual?: f32',
    'x_min?: f32',
    'x_max?: f32',
    'weight_min?: f32',
    'weight_max?: f32',
    'pre_min?: f32',
    'pre_max?: f32',
    'y_min?: f32',
    'y_max?: f32',
    'x_step?: f32',
    'x_zero?: f32',
  ),
  outputs: slots('y: f32|u8|s8'),
  macs: (_, [x], [out]) => matmulMacs(x, out),
  attributes: {
    transposed: { type: 'bool', default: false },
    activation: { type: 'string', default: 'none', oneOf: Object.keys(ACTIVATIONS) },
    output_dtype: { type: 'string', default: 'f32', oneOf: OUTPUT_DTYPES },
    rounding: ROUNDING,
    layout: LAYOUT,
  },
  infer: (context) => {
    const x = input(context, 0);
    const weight = input(context, 1);
    if ((weight.dtype === 's8') !== (x.dtype === 'u8')) context.fail('E_QUANT', `x is ${x.dtype} and the weight ${weight.dtype}`);
    const [dynamic, fixed] = [TOKEN_CODES, X_RANGE].map((slots) => slots.filter((slot) => context.inputs[slot]).length);
    if (weight.dtype === 's8' && !((dynamic === 2) !== (fixed === 2) && context.inputs[6] && context.inputs[7])) {
      context.fail('E_QUANT', 'an s8 weight needs its own range and that of x, or steps and zero points of its tokens');
    }
    const dtype = outputDtype(context, 10, 11);
    if (dynamic !== 0 && (weight.dtype !== 's8' || dtype !== 'f32'))
      context.fail('E_QUANT', `tokens with steps of their own are multiplied by s8 to f32, not by ${weight.dtype} to ${dtype}`);
    expectTokenCodes(context, x.shape);
    if (weight.shape && weight.shape.length !== 2) context.fail('E_SHAPE', `weight is ${formatShape(weight.shape)}; a matrix is needed`);
    const transposed = context.attributes['transposed'] === true;
    const rows = weight.shape?.[transposed ? 1 : 0] ?? null;
    const columns = weight.shape?.[transposed ? 0 : 1] ?? null;
    expectLast(context, 2, columns, false);
    for (const index of [6, 7]) expectLast(context, index, columns, true);
    for (const index of [4, 5, 8, 9, 10, 11]) expectLast(context, index, 1, false);
    if (!x.shape) return [known(dtype, undefined)];
    if (x.shape.length === 0) context.fail('E_SHAPE', 'x is a scalar');
    sameDim(context, x.shape.at(-1)!, rows, 'columns of x and rows of the weight');
    const shape: Shape = [...x.shape.slice(0, -1), columns];
    const residual = context.inputs[3]?.shape;
    if (residual && (residual.length !== shape.length || shape.some((dim, i) => unifyDims(dim, residual[i]!) === undefined))) {
      context.fail('E_SHAPE', `residual is ${formatShape(residual)}; ${formatShape(shape)} is needed`);
    }
    return [known(dtype, shape)];
  },
  evaluate: (inputs, attributes, [out]) => {
    const [x, weight, bias, residual, xMin, xMax, wMin, wMax, , , yMin, yMax, xStep, xZero] = inputs;
    const [w, wDims] = weightMatrix(weight!, attributes);
    let sums: Float64Array;
    if (weight!.dtype === 's8') {
      const shared = xStep ? undefined : unsignedScale(xMin!, xMax!);
      const [k, n] = wDims as [number, number];
      const zeros = xZero && numbersOf(xZero);
      const centred = Float64Array.from(numbersOf(x!), (value, i) => value - (shared?.zero ?? zeros![Math.floor(i / k)]!));
      sums = multiply(centred, x!.dims, w, wDims, out!.dims);
      const steps = xStep && numbersOf(xStep);
      const scales = Array.from({ length: n }, (_, i) => symmetricScale(wMin!, wMax!, i));
      for (let i = 0; i < sums.length; i++) sums[i]! *= (shared ? 1 / shared.scale : steps![Math.floor(i / n)]!) / scales[i % n]!;
    } else {
      const values = numbersOf(x!);
      const factor = weight!.dtype === 'bf16' ? Float32Array.from(values, (value) => fromBf16(toBf16(value))) : values;
      sums = multiply(factor, x!.dims, w, wDims, out!.dims);
    }
    for (const addend of [bias, residual]) {
      if (!addend) continue;
      const values = numbersOf(addend);
      const at = broadcastOffsets(addend.dims, out!.dims);
      for (let i = 0; i < sums.length; i++) sums[i]! += values[at ? at[i]! : i]!;
    }
    const f = ACTIVATIONS[attributes['activation'] as string] ?? reject('E_MODEL', `activation ${attributes['activation']}`);
    const y = fromNumbers('f32', out!.dims, sums.map(f));
    return [out!.dtype === 'f32' ? roundResult(y, attributes) : quantizeByRange(y, yMin!, yMax!, out!.dtype)];
  },
});

/** The weight as numbers in [K, N] order. */
function weightMatrix(weight: Tensor, attributes: Attributes): readonly [ArrayLike<number>, readonly number[]] {
  const values = numbersOf(weight);
  if (attributes['transposed'] !== true) return [values, weight.dims];
  const [n, k] = weight.dims as [number, number];
  return [Float64Array.from(stridedOffsets([k, n], [1, k]), (offset) => values[offset]!), [k, n]];
}

/** The linear layer. */
export const ENGINE_LINEAR_SCHEMAS: readonly OpSchema[] = [innerProduct];
