import { LIMITS } from '@neural-engine/core';
import type { OnnxModel, WriteOptions } from '@neural-engine/onnx';

/** Room in the model's own file for nodes and names. */
const NODES_BYTES = 64 * 2 ** 20;

/**
 * How a model that was made from `source` is written: its weights go to a file of their own where those of the source lie in one, or where
 * protobuf's limit leaves no room for them.
 */
export function weightsOutside(source: OnnxModel, made: OnnxModel): Pick<WriteOptions, 'externalData'> {
  const isOutside = [...source.graph.initializers.values()].some((tensor) => tensor.external);
  const bytes = [...made.graph.initializers.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  return isOutside || bytes > LIMITS.onnxBytes - NODES_BYTES ? { externalData: {} } : {};
}
