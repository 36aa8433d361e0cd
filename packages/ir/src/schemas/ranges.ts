import { allocate, type Dims, type DType, elementCount, type Tensor } from '@neural-engine/core';
import { elementAt, numbersOf } from './cells';
import { reject } from './support';
import { roundEven } from './unary';

/**
 * The engine's 8-bit numbers: a real range [min, max] gives the scale, in steps per unit.
 *
 * u8: scale = 255 / (max − min), zero point = round(−min · scale). s8: scale = 127 / max(|min|, |max|), zero point 0.
 */

/** Scale and zero point of a u8 range. An empty range has scale 1: all its values are the same. */
export function unsignedScale(min: Tensor, max: Tensor): { scale: number; zero: number } {
  const low = elementAt(min, 0);
  const high = elementAt(max, 0);
  if (!(Number.isFinite(low) && Number.isFinite(high) && low <= high)) reject('E_QUANT', `the range [${low}, ${high}] is no range`);
  const scale = Math.fround(high > low ? 255 / (high - low) : 1);
  return { scale, zero: Math.max(0, Math.min(255, roundEven(-low * scale))) };
}

/** Scale of an s8 range; ranges of one element hold for every channel. */
export function symmetricScale(min: Tensor, max: Tensor, channel: number): number {
  const low = elementAt(min, min.data.length === 1 ? 0 : channel);
  const high = elementAt(max, max.data.length === 1 ? 0 : channel);
  const bound = Math.max(Math.abs(low), Math.abs(high));
  if (!Number.isFinite(bound)) reject('E_QUANT', `the range [${low}, ${high}] is no range`);
  return bound > 0 ? Math.fround(127 / bound) : 1;
}

/** Quantises to nearest even, saturating. */
export function quantizeByRange(x: Tensor, min: Tensor, max: Tensor, dtype: DType): Tensor {
  const values = numbersOf(x);
  const data = allocate(dtype, values.length) as Uint8Array;
  const { scale, zero } = dtype === 'u8' ? unsignedScale(min, max) : { scale: symmetricScale(min, max, 0), zero: 0 };
  const [low, high] = dtype === 'u8' ? [0, 255] : [-128, 127];
  for (let i = 0; i < data.length; i++) data[i] = Math.max(low, Math.min(high, roundEven(Math.fround(values[i]! * scale)) + zero));
  return { dtype, dims: x.dims, data };
}

/** The real numbers behind 8-bit elements. */
export function dequantizeByRange(x: Tensor, min: Tensor, max: Tensor): Float64Array {
  const { scale, zero } = x.dtype === 'u8' ? unsignedScale(min, max) : { scale: symmetricScale(min, max, 0), zero: 0 };
  return Float64Array.from(numbersOf(x), (value) => (value - zero) / scale);
}

/** An f32 tensor from doubles. */
export function f32(dims: Dims, values: ArrayLike<number>): Tensor {
  const data = new Float32Array(elementCount(dims));
  data.set(values);
  return { dtype: 'f32', dims: [...dims], data };
}
