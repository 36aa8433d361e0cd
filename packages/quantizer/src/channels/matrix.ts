import type { Tensor } from '@neural-engine/core';

/** 0: rows, 1: columns. */
export type Axis = 0 | 1;

/** The axis of a weight along which its inputs lie. */
export const inputAxis = (transposed: boolean): Axis => (transposed ? 1 : 0);
/** The axis of a weight along which its outputs lie. */
export const outputAxis = (transposed: boolean): Axis => (transposed ? 0 : 1);

/** f32 [rows, columns] with every element changed by where it lies along an axis. Plain loops: `Float32Array.from` takes ten times as long. */
function mapped(matrix: Tensor, axis: Axis, change: (value: number, index: number) => number): Tensor {
  const [rows, columns] = matrix.dims as [number, number];
  const source = matrix.data as Float32Array;
  const data = new Float32Array(source.length);
  for (let r = 0, at = 0; r < rows; r++) for (let c = 0; c < columns; c++, at++) data[at] = change(source[at]!, axis === 0 ? r : c);
  return { ...matrix, data };
}

export const divided = (matrix: Tensor, axis: Axis, by: Float32Array): Tensor => mapped(matrix, axis, (value, i) => value / by[i]!);

export function zeroed(matrix: Tensor, axis: Axis, indices: readonly number[]): Tensor {
  const zero = new Set(indices);
  return mapped(matrix, axis, (value, i) => (zero.has(i) ? 0 : value));
}

/** Only these rows or columns, in order. */
export function taken(matrix: Tensor, axis: Axis, indices: readonly number[]): Tensor {
  const [rows, columns] = matrix.dims as [number, number];
  const source = matrix.data as Float32Array;
  const dims = axis === 0 ? [indices.length, columns] : [rows, indices.length];
  const data = new Float32Array(dims[0]! * dims[1]!);
  let to = 0;
  for (let r = 0; r < dims[0]!; r++)
    for (let c = 0; c < dims[1]!; c++) data[to++] = source[axis === 0 ? indices[r]! * columns + c : r * columns + indices[c]!]!;
  return { ...matrix, dims, data };
}
