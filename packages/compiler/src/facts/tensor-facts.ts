import { bytesOf, fromBf16, fromF16, sameDims, type Tensor, zeros } from '@neural-engine/core';
import type { AttributeValue } from '@neural-engine/ir';

/** The one element of a constant of any rank as a number, else undefined. Integers beyond 2^53 lose digits. */
export function scalarValue(tensor: Tensor | undefined): number | undefined {
  if (tensor?.data.length !== 1 || tensor.dtype === 'string') return undefined;
  return elementNumber(tensor, 0);
}

/** One element as a number; f16 and bf16 are widened. */
export function elementNumber(tensor: Tensor, index: number): number {
  const element = Number(tensor.data[index]);
  if (tensor.dtype === 'f16') return fromF16(element);
  if (tensor.dtype === 'bf16') return fromBf16(element);
  return element;
}

/** The elements of an integer constant as numbers, saturated to the safe integers (files mark "to the end" with INT64_MAX); else undefined. */
export function integersOf(tensor: Tensor | undefined): number[] | undefined {
  if (!tensor || (tensor.dtype !== 's64' && tensor.dtype !== 's32')) return undefined;
  return Array.from(tensor.data as ArrayLike<number | bigint>, (element) =>
    Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(element))),
  );
}

/** Equality of attribute values: arrays by element, tensors by dtype, dims and bytes. */
export function sameAttribute(a: AttributeValue | undefined, b: AttributeValue | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object') return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => item === b[i]);
  }
  return sameTensor(a as Tensor, b as Tensor);
}

/** Bitwise equality, so that NaN equals itself and 0 differs from −0. */
export function sameTensor(a: Tensor, b: Tensor): boolean {
  if (a === b) return true;
  if (a.dtype !== b.dtype || !sameDims(a.dims, b.dims)) return false;
  return Buffer.compare(bytesOf(a.data), bytesOf(b.data)) === 0;
}

/** A tensor with the same number everywhere. */
export function filled(dtype: 'f32' | 's64', dims: readonly number[], element: number): Tensor {
  const tensor = zeros(dtype, dims);
  if (dtype === 's64') (tensor.data as BigInt64Array).fill(BigInt(element));
  else (tensor.data as Float32Array).fill(element);
  return tensor;
}
