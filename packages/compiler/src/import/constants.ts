import { s64, type Tensor } from '@neural-engine/core';
import type { ImportNode } from './node';
import type { Importer, Importers } from './operator';
import { scalarF32 } from './slicing';
import { densify, toTensor } from './tensors';

/** A node that makes a constant becomes a constant value. */
const constant: Importer = (node, to) => {
  const output = node.outputs[0] || node.fail('E_MODEL', 'it has no output');
  to.addConstant(output, constantTensor(node));
  if (node.leftOver().length > 0) node.fail('E_MODEL', `attributes "${node.leftOver().join('", "')}" stand beside its value`);
};

function constantTensor(node: ImportNode): Tensor {
  const tensor = node.take('value');
  if (tensor)
    return tensor.type === 'tensor'
      ? toTensor(tensor.value, node)
      : node.fail('E_MODEL', `its value is of type ${tensor.type}, not tensor`);
  const sparse = node.take('sparse_value');
  if (sparse)
    return sparse.type === 'sparseTensor'
      ? densify(sparse.value, node)
      : node.fail('E_MODEL', `its sparse_value is of type ${sparse.type}`);
  const float = node.float('value_float');
  if (float !== undefined) return scalarF32(float);
  const int = node.int('value_int');
  if (int !== undefined) return { ...s64([int]), dims: [] };
  const ints = node.ints('value_ints');
  if (ints) return s64(ints);
  const floats = node.take('value_floats');
  if (floats?.type === 'floats') return { dtype: 'f32', dims: [floats.value.length], data: Float32Array.from(floats.value) };
  if (node.has('value_string') || node.has('value_strings')) return node.refuse('strings are not computed with');
  return node.fail('E_MODEL', 'it has no value');
}

/** Operators that make values out of nothing. */
export const CONSTANTS: Importers = { Constant: constant };
