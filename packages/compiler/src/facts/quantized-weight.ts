import type { Tensor } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';

/** An s8 weight, symmetric per output channel, in the form InnerProduct takes. */
export interface QuantizedWeight {
  /** s8, in the layout of the file. */
  readonly codes: Tensor;
  /** f32 [N]; −127 and 127 steps. */
  readonly min: Tensor;
  readonly max: Tensor;
}

/** A u8 weight with this zero point is an s8 one shifted. */
const U8_MIDDLE = 128;

/**
 * The integers behind a dequantised weight matrix, or why they are not of the engine's form.
 *
 * @param transposed  The matrix is [N, K], outputs first; else [K, N].
 */
export function quantizedWeight(graph: Graph, dequantize: Node, transposed: boolean): QuantizedWeight | string {
  const codes = graph.constant(dequantize.inputs[0]);
  const scale = graph.constant(dequantize.inputs[1]);
  const zero = graph.constant(dequantize.inputs[2]);
  if (codes?.dims.length !== 2 || scale?.dtype !== 'f32') return 'its weight is no constant matrix with an f32 scale';
  if (Number(dequantize.attributes['block_size'] ?? 0) !== 0) return 'its weight is quantised in blocks';
  const outputs = codes.dims[transposed ? 0 : 1]!;
  const axis = (Number(dequantize.attributes['axis'] ?? 1) + 2) % 2;
  if (scale.data.length !== 1 && (axis !== (transposed ? 0 : 1) || scale.data.length !== outputs)) {
    return 'its weight is not quantised per output channel';
  }
  const middle = codes.dtype === 'u8' ? U8_MIDDLE : 0;
  const zeros = zero ? Array.from(zero.data as ArrayLike<number>, Number) : [0];
  if (zeros.some((element) => element !== middle)) return 'its weight is not symmetric';
  const steps = Float32Array.from({ length: outputs }, (_, i) => Number(scale.data[scale.data.length === 1 ? 0 : i]) * 127);
  return {
    codes:
      middle === 0 ? codes : { dtype: 's8', dims: codes.dims, data: Int8Array.from(codes.data as Uint8Array, (code) => code - U8_MIDDLE) },
    min: { dtype: 'f32', dims: [outputs], data: steps.map((step) => -step) },
    max: { dtype: 'f32', dims: [outputs], data: steps },
  };
}
