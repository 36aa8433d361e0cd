import type { Tensor } from '@neural-engine/core';
import { roundTiesEven } from './codes';

/** Bytes behind each row's codes: the value of one code step, f32, little-endian. */
const STEP_BYTES = 4;

/**
 * An embedding table in 8 bits, one scale a row: a quarter of the size.
 *
 * q[r, f] = round(x[r, f] / step[r]), ties to even, with step[r] = max|x[r]| / 127; a row of zeros, and one that is not finite, has step 1.
 *
 * @param table  f32 [rows, features].
 * @returns      u8 [rows, features + 4]: s8 codes, then the row's step.
 */
export function quantizeTable(table: Tensor): Tensor {
  const [rows, features] = table.dims as [number, number];
  const values = table.data as Float32Array;
  const width = features + STEP_BYTES;
  const data = new Uint8Array(rows * width);
  const view = new DataView(data.buffer);
  for (let row = 0; row < rows; row++) {
    let most = 0;
    for (let i = row * features; i < (row + 1) * features; i++) most = Math.max(most, Math.abs(values[i]!));
    const step = most > 0 && Number.isFinite(most) ? Math.fround(most / 127) : 1;
    for (let i = 0; i < features; i++)
      data[row * width + i] = Math.max(-127, Math.min(127, roundTiesEven(values[row * features + i]! / step)));
    view.setFloat32(row * width + features, step, true);
  }
  return { dtype: 'u8', dims: [rows, width], data };
}

/** An f32 table [rows, features] with row 0 of another added to each of its rows. */
export function withFirstRow({ dims, data }: Tensor, { data: first }: Tensor): Tensor {
  const features = dims[1]!;
  const sums = Float32Array.from(data as Float32Array, (value, i) => value + (first as Float32Array)[i % features]!);
  return { dtype: 'f32', dims, data: sums };
}
