import { DTYPES, type DType, isInteger, type Tensor } from '@neural-engine/core';
import type { InferContext, KnownValue, OpSchema } from '../schema';
import { fromNumbers, isBig, numbersOf } from './cells';
import { onnx, slots } from './define';
import { elementsOf, input, known } from './support';

/**
 * Another dtype for the same elements: floats round to nearest even, floats to integers truncate, integers wrap, anything but zero is true.
 * @throws never; what has no value in the target (NaN as an integer) takes the processor's answer.
 */
export function castTensor(source: Tensor, to: DType): Tensor {
  if (source.dtype === to) return source;
  if (isBig(source.dtype) && isBig(to)) {
    const bits = source.data as BigInt64Array;
    return { dtype: to, dims: source.dims, data: to === 's64' ? BigInt64Array.from(bits) : BigUint64Array.from(bits) };
  }
  if (isBig(source.dtype) && isInteger(to)) {
    // Wrapping has to see all 64 bits: a double would round them first.
    return fromNumbers(
      to,
      source.dims,
      Array.from(source.data as BigInt64Array, (element) => Number(BigInt.asIntN(32, element))),
    );
  }
  return fromNumbers(to, source.dims, numbersOf(source));
}

function inferCast(context: InferContext, to: DType): KnownValue[] {
  const { dtype, shape } = input(context, 0);
  if (to === 'string' || dtype === 'string') context.fail('E_UNSUPPORTED', 'strings are not converted');
  // Symbols are whole numbers, so conversions between integers keep them.
  return [known(to, shape, isInteger(to) && (isInteger(dtype) || dtype === 'bool') ? elementsOf(context.inputs[0]) : undefined)];
}

/** Conversion between dtypes. */
export const CAST_SCHEMAS: readonly OpSchema[] = [
  onnx('Cast', {
    summary: 'The elements in another dtype.',
    inputs: slots('input: any'),
    outputs: slots('output: any'),
    attributes: {
      to: { type: 'string', required: true, oneOf: DTYPES },
      saturate: { type: 'int', default: 1 },
      round_mode: { type: 'string', default: 'up' },
    },
    infer: (context) => inferCast(context, context.attributes['to'] as DType),
    evaluate: ([x], attributes) => [castTensor(x!, attributes['to'] as DType)],
  }),
  onnx('CastLike', {
    summary: 'The elements in the dtype of a second input.',
    inputs: slots('input: any', 'target_type: any'),
    outputs: slots('output: any'),
    attributes: { saturate: { type: 'int', default: 1 }, round_mode: { type: 'string', default: 'up' } },
    infer: (context) => inferCast(context, input(context, 1).dtype),
    evaluate: ([x], _, [out]) => [castTensor(x!, out!.dtype)],
  }),
];
