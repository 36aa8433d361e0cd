import {
  allocate,
  type Dims,
  type DType,
  elementCount,
  fromBf16,
  fromF16,
  type Tensor,
  type TypedArray,
  toBf16,
  toF16,
  widen,
} from '@neural-engine/core';

/** Reading, writing and rearranging the elements of constant tensors. */

/** Typed arrays of numbers and of bigints under one index signature, for code that only moves elements. */
type Cells = { [index: number]: number; readonly length: number };

const INT64_MIN = -(2n ** 63n);

/** The elements as numbers, f16 and bf16 widened. 64-bit integers lose what a double cannot hold. */
export function numbersOf(tensor: Tensor): ArrayLike<number> {
  const { dtype, data } = tensor;
  if (dtype === 'f16' || dtype === 'bf16') return widen(data as Uint16Array, dtype);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Float64Array.from(data as ArrayLike<bigint> as never, Number);
  return data as Float32Array;
}

/** True for tensors whose elements JavaScript holds as bigints. */
export const isBig = (dtype: DType): boolean => dtype === 's64' || dtype === 'u64';

/** Rounds numbers to `dtype`: floats to nearest even, integers by truncation and wrap-around, bool to 0 or 1. */
export function fromNumbers(dtype: DType, dims: Dims, values: ArrayLike<number>): Tensor {
  const data = allocate(dtype, values.length);
  const write = writer(dtype, data);
  for (let i = 0; i < values.length; i++) write(i, values[i]!);
  return { dtype, dims: [...dims], data };
}

/** A function that stores a number as an element of `dtype`. */
export function writer(dtype: DType, data: TypedArray): (index: number, value: number) => void {
  const cells = data as Float32Array;
  switch (dtype) {
    case 'f16':
      return (i, value) => (cells[i] = toF16(value));
    case 'bf16':
      return (i, value) => (cells[i] = toBf16(value));
    case 'bool':
      return (i, value) => (cells[i] = value === 0 ? 0 : 1);
    case 's64':
    case 'u64': {
      const big = data as BigInt64Array;
      // NaN and infinity have no integer; what x86's conversion yields is stored.
      return (i, value) => (big[i] = Number.isFinite(value) ? BigInt(Math.trunc(value)) : INT64_MIN);
    }
    default:
      return (i, value) => (cells[i] = value);
  }
}

/** One element as a number. */
export function elementAt(tensor: Tensor, index: number): number {
  const element = Number(tensor.data[index]);
  return tensor.dtype === 'f16' ? fromF16(element) : tensor.dtype === 'bf16' ? fromBf16(element) : element;
}

/** Row-major strides, in elements. */
export function stridesOf(dims: Dims): number[] {
  const strides = new Array<number>(dims.length);
  let stride = 1;
  for (let i = dims.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= dims[i]!;
  }
  return strides;
}

/** The flat source offset of every element of `dims`, walked with `strides` from `start`. */
export function stridedOffsets(dims: Dims, strides: readonly number[], start = 0): Int32Array {
  const count = elementCount(dims);
  const out = new Int32Array(count);
  if (count === 0) return out;
  const last = dims.length - 1;
  if (last < 0) {
    out[0] = start;
    return out;
  }
  const inner = dims[last]!;
  const step = strides[last]!;
  const index = new Array<number>(last).fill(0);
  let base = start;
  for (let i = 0; i < count; ) {
    for (let j = 0, offset = base; j < inner; j++, offset += step) out[i++] = offset;
    for (let d = last - 1; d >= 0; d--) {
      base += strides[d]!;
      if (++index[d]! < dims[d]!) break;
      base -= strides[d]! * dims[d]!;
      index[d] = 0;
    }
  }
  return out;
}

/** For every element of `to`, the offset of the element of `from` that broadcasts to it; undefined when they are the same. */
export function broadcastOffsets(from: Dims, to: Dims): Int32Array | undefined {
  const lead = to.length - from.length;
  if (lead === 0 && from.every((dim, i) => dim === to[i])) return undefined;
  const own = stridesOf(from);
  const strides = to.map((_, i) => (i < lead || from[i - lead] === 1 ? 0 : own[i - lead]!));
  return stridedOffsets(to, strides);
}

/** The elements of `source` at `offsets`, as a tensor of `dims`. */
export function take(source: Tensor, dims: Dims, offsets: ArrayLike<number>): Tensor {
  const data = allocate(source.dtype, offsets.length);
  const from = source.data as Cells;
  const to = data as Cells;
  for (let i = 0; i < offsets.length; i++) to[i] = from[offsets[i]!]!;
  return { dtype: source.dtype, dims: [...dims], data };
}

/** `source` with each dimension of size 1 repeated as `dims` asks. */
export function broadcastTo(source: Tensor, dims: Dims): Tensor {
  const offsets = broadcastOffsets(source.dims, dims);
  return offsets ? take(source, dims, offsets) : source;
}

/** Copies one element between arrays of the same dtype. */
export function copyCell(from: TypedArray, fromIndex: number, to: TypedArray, toIndex: number): void {
  (to as Cells)[toIndex] = (from as Cells)[fromIndex]!;
}

/** The same elements under other dims; the data is shared. */
export const withDims = (source: Tensor, dims: Dims): Tensor => ({ dtype: source.dtype, dims: [...dims], data: source.data });

/** The lesser of two 64-bit integers. */
export function lesser(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}

/** The greater of two 64-bit integers. */
export function greater(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}
