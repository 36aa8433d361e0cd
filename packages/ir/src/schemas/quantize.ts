import { allocate, type DType, elementCount, formatShape, type Shape, type Tensor } from '@neural-engine/core';
import type { InferContext, OpSchema } from '../schema';
import { elementAt, fromNumbers, numbersOf } from './cells';
import { onnx, slots } from './define';
import { centred, matmulMacs, matmulShape, multiply } from './matmul';
import { axisOf, input, known, reject, scalarOf } from './support';
import { roundEven } from './unary';

/** The integers that a quantised dtype holds. */
const RANGES: Readonly<Partial<Record<DType, readonly [number, number]>>> = {
  u8: [0, 255],
  s8: [-128, 127],
  u16: [0, 65535],
  s16: [-32768, 32767],
};

const CODES = ['u8', 's8', 'u16', 's16'] as const;

/** Rejects a scale that is not positive and normal, or a zero point of another shape. */
function checkScale(context: InferContext, scaleIndex: number, zeroIndex: number): void {
  const scale = context.inputs[scaleIndex]?.constant;
  if (scale) {
    for (const value of Array.from(numbersOf(scale))) {
      if (!(value >= 2 ** -126 && value < Number.POSITIVE_INFINITY))
        context.fail('E_QUANT', `the scale ${value} is not positive and normal`);
    }
  }
  const [want, got] = [context.inputs[scaleIndex]?.shape, context.inputs[zeroIndex]?.shape];
  if (!want || !got) return;
  const [a, b] = [want, got].map((shape) => (shape.length === 1 && shape[0] === 1 ? [] : shape)) as [Shape, Shape];
  if (a.length !== b.length || a.some((dim, i) => typeof dim === 'number' && typeof b[i] === 'number' && dim !== b[i])) {
    context.fail('E_QUANT', `the scale is ${formatShape(want)}, the zero point ${formatShape(got)}`);
  }
}

/** How a scale lies over the data: one for all, one per slice of an axis, or one per block of an axis. */
function checkGranularity(context: InferContext): void {
  const { shape } = input(context, 0);
  const scale = context.inputs[1]?.shape;
  const block = context.attributes['block_size'] as number;
  if (block < 0) context.fail('E_MODEL', `block_size is ${block}`);
  if (!shape || !scale || scale.length === 0 || (scale.length === 1 && scale[0] === 1 && block === 0)) return;
  const axis = axisOf(context, context.attributes['axis'] as number, shape.length);
  if (block === 0) {
    const dim = shape[axis];
    if (scale.length !== 1 || (typeof scale[0] === 'number' && typeof dim === 'number' && scale[0] !== dim)) {
      context.fail('E_QUANT', `the scale is ${formatShape(scale)}; axis ${axis} of ${formatShape(shape)} needs [${dim ?? '?'}]`);
    }
    return;
  }
  const fits =
    scale.length === shape.length &&
    scale.every((dim, i) => {
      const own = shape[i]!;
      return typeof dim !== 'number' || typeof own !== 'number' || (i === axis ? Math.ceil(own / block) === dim : own === dim);
    });
  if (!fits)
    context.fail('E_QUANT', `the scale is ${formatShape(scale)} for ${formatShape(shape)} in blocks of ${block} along axis ${axis}`);
}

/** The offset of the scale of each element. */
function scaleOffsets(dims: readonly number[], scale: Tensor, axis: number, block: number): (index: number) => number {
  if (scale.data.length === 1) return () => 0;
  const at = axis < 0 ? axis + dims.length : axis;
  const inner = elementCount(dims.slice(at + 1));
  const size = dims[at]!;
  if (block === 0) return (index) => Math.floor(index / inner) % size;
  const blocks = scale.dims[at]!;
  return (index) => {
    const line = Math.floor(index / inner);
    return (Math.floor(line / size) * blocks + Math.floor((line % size) / block)) * inner + (index % inner);
  };
}

const GRANULARITY = { axis: { type: 'int', default: 1 }, block_size: { type: 'int', default: 0 } } as const;

/** saturate(round(x / scale) + zero), ties to even. */
function quantizeElement(x: number, scale: number, zero: number, [low, high]: readonly [number, number]): number {
  return Math.max(low, Math.min(high, roundEven(Math.fround(x / scale)) + zero));
}

const quantizeLinear = onnx('QuantizeLinear', {
  summary: 'round(x / scale) + zero point, saturating; per tensor, per axis or per block.',
  inputs: slots('x: float|s32', 'y_scale: float|s32', 'y_zero_point?: u8|s8|u16|s16'),
  outputs: slots('y: u8|s8|u16|s16'),
  attributes: {
    ...GRANULARITY,
    output_dtype: { type: 'string', oneOf: CODES },
    precision: { type: 'string', oneOf: ['f32', 'f16', 'bf16'] },
    saturate: { type: 'int', default: 1 },
  },
  infer: (context) => {
    checkScale(context, 1, 2);
    checkGranularity(context);
    const named = context.attributes['output_dtype'] as DType | undefined;
    const zero = context.inputs[2]?.dtype;
    if (named && zero && named !== zero) context.fail('E_QUANT', `output_dtype is ${named}, the zero point ${zero}`);
    return [known(zero ?? named ?? 'u8', input(context, 0).shape)];
  },
  evaluate: ([x, scale, zero], attributes, [out]) => {
    const range = RANGES[out!.dtype] ?? reject('E_UNSUPPORTED', `quantisation to ${out!.dtype}`);
    const values = numbersOf(x!);
    const scales = numbersOf(scale!);
    const at = scaleOffsets(x!.dims, scale!, attributes['axis'] as number, attributes['block_size'] as number);
    const data = allocate(out!.dtype, values.length);
    for (let i = 0; i < data.length; i++) {
      const k = at(i);
      data[i] = quantizeElement(values[i]!, scales[k]!, zero ? elementAt(zero, zero.data.length === 1 ? 0 : k) : 0, range);
    }
    return [{ dtype: out!.dtype, dims: out!.dims, data }];
  },
});

const dequantizeLinear = onnx('DequantizeLinear', {
  summary: '(x − zero point) · scale; per tensor, per axis or per block.',
  inputs: slots('x: X=u8|s8|u16|s16|s32', 'x_scale: float', 'x_zero_point?: X'),
  outputs: slots('y: float'),
  attributes: { ...GRANULARITY, output_dtype: { type: 'string', oneOf: ['f32', 'f16', 'bf16'] } },
  infer: (context) => {
    checkScale(context, 1, 2);
    checkGranularity(context);
    const dtype = (context.attributes['output_dtype'] as DType | undefined) ?? input(context, 1).dtype;
    return [known(dtype, input(context, 0).shape)];
  },
  evaluate: ([x, scale, zero], attributes, [out]) => {
    const scales = numbersOf(scale!);
    const at = scaleOffsets(x!.dims, scale!, attributes['axis'] as number, attributes['block_size'] as number);
    const values = Float64Array.from(numbersOf(x!), (value, i) => {
      const k = at(i);
      return (value - (zero ? elementAt(zero, zero.data.length === 1 ? 0 : k) : 0)) * scales[k]!;
    });
    return [fromNumbers(out!.dtype, out!.dims, values)];
  },
});

const dynamicQuantizeLinear = onnx('DynamicQuantizeLinear', {
  summary: 'u8 by the range of the data itself, widened to hold 0; with scale and zero point.',
  inputs: slots('x: f32'),
  outputs: slots('y: u8', 'y_scale: f32', 'y_zero_point: u8'),
  infer: (context) => [known('u8', input(context, 0).shape), known('f32', []), known('u8', [])],
  evaluate: ([x]) => {
    const values = x!.data as Float32Array;
    const low = values.reduce((a, b) => Math.min(a, b), 0);
    const high = values.reduce((a, b) => Math.max(a, b), 0);
    const scale = Math.fround(Math.fround(high - low) / 255);
    const zero = scale === 0 ? 0 : Math.max(0, Math.min(255, roundEven(Math.fround(-low / scale))));
    const codes = Uint8Array.from(values, (value) => (scale === 0 ? 0 : quantizeElement(value, scale, zero, [0, 255])));
    return [
      { dtype: 'u8', dims: x!.dims, data: codes },
      { dtype: 'f32', dims: [], data: Float32Array.of(scale) },
      { dtype: 'u8', dims: [], data: Uint8Array.of(zero) },
    ];
  },
});

const qLinearMatMul = onnx('QLinearMatMul', {
  summary: 'The product of quantised matrices, quantised again.',
  inputs: slots(
    'a: A=byte',
    'a_scale: S=float',
    'a_zero_point: A',
    'b: B=byte',
    'b_scale: S',
    'b_zero_point: B',
    'y_scale: S',
    'y_zero_point: byte',
  ),
  outputs: slots('y: byte'),
  macs: (_, [a], [out]) => matmulMacs(a, out),
  infer: (context) => {
    for (const [scale, zero] of [
      [1, 2],
      [4, 5],
      [6, 7],
    ] as const)
      checkScale(context, scale, zero);
    return [known(input(context, 7).dtype, matmulShape(context, context.inputs[0]?.shape, context.inputs[3]?.shape))];
  },
  evaluate: ([a, aScale, aZero, b, bScale, bZero, yScale, yZero], _, [out]) => {
    const left = scalarOf(aScale, 'a_scale') as number;
    const range = RANGES[out!.dtype]!;
    const sums = multiply(centred(a!, aZero, -2), a!.dims, centred(b!, bZero, -1), b!.dims, out!.dims);
    const right = numbersOf(bScale!);
    const n = b!.dims.length > 1 ? b!.dims.at(-1)! : 1;
    const [scale, zero] = [elementAt(yScale!, 0), elementAt(yZero!, 0)];
    const data = allocate(out!.dtype, sums.length);
    for (let i = 0; i < data.length; i++) {
      data[i] = quantizeElement(sums[i]! * left * right[right.length === 1 ? 0 : i % n]!, scale, zero, range);
    }
    return [{ dtype: out!.dtype, dims: out!.dims, data }];
  },
});

/** ONNX's quantisation. */
export const QUANTIZE_SCHEMAS: readonly OpSchema[] = [quantizeLinear, dequantizeLinear, dynamicQuantizeLinear, qLinearMatMul];
