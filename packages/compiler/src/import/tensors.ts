import { allocate, elementCount, LIMITS, type Tensor } from '@neural-engine/core';
import type { OnnxSparseTensor, OnnxTensor } from '@neural-engine/onnx';
import { isEngineDType } from './dtypes';
import type { ImportNode } from './node';

/** A file's tensor as a tensor of the graph; the elements stay where they are. Refuses the node for dtypes the engine has not. */
export function toTensor(source: OnnxTensor, node: Pick<ImportNode, 'refuse'>): Tensor {
  const { dtype } = source;
  if (!isEngineDType(dtype) || dtype === 'string') return node.refuse(`tensor "${source.name}" holds ${dtype}`);
  return { dtype, dims: source.dims, data: source.data() };
}

/** A sparse tensor written out with its zeros. Refuses the node where that is above the limit for one folded node. */
export function densify(source: OnnxSparseTensor, node: Pick<ImportNode, 'refuse'>): Tensor {
  const values = toTensor(source.values, node);
  const count = elementCount(source.dims, source.values.name, 'import');
  if (count * values.data.BYTES_PER_ELEMENT > LIMITS.foldedBytesPerNode) {
    node.refuse(`sparse tensor "${source.values.name}" would need ${count} elements`);
  }
  const indices = source.indices.data() as BigInt64Array;
  const rank = source.indices.dims.length === 2 ? source.dims.length : 1;
  const data = allocate(values.dtype, count) as Float32Array;
  for (let i = 0; i < values.data.length; i++) {
    let at = Number(indices[i * rank]);
    for (let axis = 1; axis < rank; axis++) at = at * source.dims[axis]! + Number(indices[i * rank + axis]);
    data[at] = values.data[i] as number;
  }
  return { dtype: values.dtype, dims: source.dims, data };
}
