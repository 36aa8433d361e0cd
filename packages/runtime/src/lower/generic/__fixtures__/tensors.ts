import { allocate, type Dims, type DType, isFloat, type Tensor, toBf16, toF16 } from '@neural-engine/core';

/** Stores a number as an element. */
export function put({ dtype, data }: Tensor, i: number, value: number): void {
  if (dtype === 's64' || dtype === 'u64') (data as BigInt64Array)[i] = BigInt(Math.trunc(value));
  else (data as Float32Array)[i] = dtype === 'f16' ? toF16(value) : dtype === 'bf16' ? toBf16(value) : value;
}

/** Given elements; a vector unless dims are given. */
export function literal(dtype: DType, values: readonly number[], dims: Dims = [values.length]): Tensor {
  const tensor: Tensor = { dtype, dims, data: allocate(dtype, values.length) };
  for (const [i, value] of values.entries()) put(tensor, i, value);
  return tensor;
}

let state = 1;

function next(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}

const DEFAULT_RANGE = (dtype: DType): readonly [number, number] =>
  isFloat(dtype) ? [-3, 3] : dtype === 'bool' ? [0, 2] : dtype.startsWith('u') ? [0, 10] : [-6, 7];

/** Random elements from low up to, without, high; whole numbers for integers. */
export function random(dtype: DType, dims: Dims, [low, high] = DEFAULT_RANGE(dtype)): Tensor {
  const count = dims.reduce((product, dim) => product * dim, 1);
  const tensor: Tensor = { dtype, dims, data: allocate(dtype, count) };
  for (let i = 0; i < count; i++) {
    const value = low + next() * (high - low);
    put(tensor, i, isFloat(dtype) ? value : Math.floor(value));
  }
  return tensor;
}
