import { numberOfDtype } from '../dtypes';
import { quote } from '../errors';
import type { onnx } from '../generated/onnx.js';
import { fromBigInt } from '../long';
import type { OnnxExternalData, OnnxSparseTensor, OnnxTensor } from '../types';
import { encodeNotes } from './text';

const EXTERNAL = 1;

/** All of a tensor but its elements. */
export function encodeTensorHead(tensor: OnnxTensor): onnx.TensorProto.$Properties {
  const where = `tensor ${quote(tensor.name)}`;
  return {
    dims: tensor.dims.map((dim) => fromBigInt(BigInt(dim), where)),
    dataType: numberOfDtype(tensor.dtype),
    ...(tensor.name === '' ? {} : { name: tensor.name }),
    ...encodeNotes(tensor),
  };
}

/** A tensor with its elements as raw bytes (strings apart), whatever field they came from; external ones are read. */
export function encodeTensor(tensor: OnnxTensor): onnx.TensorProto.$Properties {
  const head = encodeTensorHead(tensor);
  return tensor.dtype === 'string' ? { ...head, stringData: [...(tensor.stringBytes ?? [])] } : { ...head, rawData: tensor.bytes() };
}

/** A tensor whose elements are written to a file of their own. */
export const encodeTensorReference = (tensor: OnnxTensor, place: OnnxExternalData): onnx.TensorProto.$Properties => ({
  ...encodeTensorHead(tensor),
  dataLocation: EXTERNAL,
  externalData: [
    { key: 'location', value: place.location },
    { key: 'offset', value: String(place.offset) },
    { key: 'length', value: String(place.length) },
  ],
});

export const encodeSparseTensor = (tensor: OnnxSparseTensor): onnx.SparseTensorProto.$Properties => ({
  values: encodeTensor(tensor.values),
  indices: encodeTensor(tensor.indices),
  dims: tensor.dims.map((dim) => fromBigInt(BigInt(dim), `sparse tensor ${quote(tensor.values.name)}`)),
});
