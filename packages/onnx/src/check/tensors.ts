import { packedBytes } from '../dtypes';
import { fail } from '../errors';
import { countElements, type Place } from '../place';
import type { OnnxSparseTensor, OnnxTensor } from '../types';

/** Checks that a tensor holds what its dims say, without reading it. @throws {EngineError} E_MODEL, E_SHAPE, E_LIMIT. */
export function checkTensor(tensor: OnnxTensor, where: Place): void {
  const count = countElements(tensor.dims, where);
  if (tensor.dtype === 'UNDEFINED') fail('E_MODEL', 'check', where, 'has no element type');
  if (tensor.dtype === 'string') {
    const strings = tensor.stringBytes?.length ?? 0;
    if (strings !== count) fail('E_MODEL', 'check', where, `[${tensor.dims.join(', ')}] needs ${count} strings, there are ${strings}`);
    return;
  }
  const needed = packedBytes(tensor.dtype, count);
  if (tensor.byteLength !== needed) {
    fail('E_MODEL', 'check', where, `${tensor.dtype} [${tensor.dims.join(', ')}] needs ${needed} bytes, there are ${tensor.byteLength}`);
  }
}

/** Row-major strides of `dims`, so that coordinates become linear indices; exact as bigint. */
function stridesOf(dims: readonly number[]): bigint[] {
  const strides = new Array<bigint>(dims.length);
  let stride = 1n;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= BigInt(dims[axis]!);
  }
  return strides;
}

/**
 * Checks a sparse tensor: as many indices as values, each inside the shape, ascending without repeats.
 * @throws {EngineError} E_SPARSE naming the first bad index.
 */
export function checkSparseTensor(tensor: OnnxSparseTensor, where: Place): void {
  const { values, indices, dims } = tensor;
  checkTensor(values, where.at('values'));
  checkTensor(indices, where.at('indices'));
  const size = BigInt(countElements(dims, where));
  const nonZeros = values.dims[0];
  if (values.dims.length !== 1 || nonZeros === undefined) fail('E_SPARSE', 'check', where, `values have rank ${values.dims.length}, not 1`);
  if (indices.dtype !== 's64') fail('E_SPARSE', 'check', where, `indices are ${indices.dtype}, not s64`);
  const rank = indices.dims.length;
  if (rank !== 1 && rank !== 2) fail('E_SPARSE', 'check', where, `indices have rank ${rank}, not 1 or 2`);
  if (indices.dims[0] !== nonZeros) fail('E_SPARSE', 'check', where, `${nonZeros} values have ${indices.dims[0]} indices`);
  const width = rank === 1 ? 1 : indices.dims[1]!;
  if (rank === 2 && width !== dims.length) {
    fail('E_SPARSE', 'check', where, `indices have ${width} coordinates, the shape [${dims.join(', ')}] has ${dims.length}`);
  }
  const data = indices.data() as BigInt64Array;
  const bounds = rank === 1 ? [size] : dims.map(BigInt);
  const strides = rank === 1 ? [1n] : stridesOf(dims);
  let previous = -1n;
  for (let row = 0; row < nonZeros; row++) {
    let linear = 0n;
    for (let axis = 0; axis < width; axis++) {
      const index = data[row * width + axis]!;
      if (index < 0n || index >= bounds[axis]!)
        fail('E_SPARSE', 'check', where, `index ${row} is ${index}, outside of 0 to ${bounds[axis]! - 1n}`);
      linear += index * strides[axis]!;
    }
    if (linear <= previous)
      fail('E_SPARSE', 'check', where, `index ${row} ${linear === previous ? 'repeats' : 'lies before'} the one before it`);
    previous = linear;
  }
}
