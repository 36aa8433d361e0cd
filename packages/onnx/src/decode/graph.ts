import { fail, quote } from '../errors';
import type { onnx } from '../generated/onnx.js';
import type { OnnxGraph, OnnxSparseTensor, OnnxTensor, OnnxValueInfo } from '../types';
import { type DecodeContext, looseText, toMap, toNotes } from './context';
import { decodeNode } from './node';
import { decodeSparseTensor, decodeTensorMessage } from './tensor';
import { decodeType } from './type';

/** Converts a declared value. */
export function decodeValueInfo(message: onnx.ValueInfoProto.$Properties, role: string): OnnxValueInfo {
  const name = message.name ?? '';
  const where = `${role} ${quote(name)}`;
  const type = decodeType(message.type, where);
  const plain = type.kind === 'tensor' && type.denotation === undefined && type.dimDenotations === undefined;
  const value: OnnxValueInfo = {
    name,
    dtype: type.kind === 'tensor' ? type.dtype : 'UNDEFINED',
    shape: type.kind === 'tensor' ? type.shape : undefined,
  };
  if (!plain && (type.kind !== 'unknown' || type.denotation !== undefined)) value.type = type;
  return Object.assign(value, toNotes(message, where));
}

function decodeInitializers(
  messages: readonly onnx.TensorProto.$Properties[],
  prefix: string,
  context: DecodeContext,
): Map<string, OnnxTensor> {
  const initializers = new Map<string, OnnxTensor>();
  for (const message of messages) {
    const tensor = decodeTensorMessage(message, `${prefix}initializer`, context);
    if (tensor.name === '') fail('E_MODEL', 'check', `${prefix}initializer`, 'has no name');
    if (initializers.has(tensor.name)) fail('E_MODEL', 'check', `${prefix}initializer ${quote(tensor.name)}`, 'appears twice');
    initializers.set(tensor.name, tensor);
  }
  return initializers;
}

function decodeSparseInitializers(
  messages: readonly onnx.SparseTensorProto.$Properties[],
  dense: ReadonlyMap<string, OnnxTensor>,
  prefix: string,
  context: DecodeContext,
): Map<string, OnnxSparseTensor> {
  const initializers = new Map<string, OnnxSparseTensor>();
  for (const message of messages) {
    const tensor = decodeSparseTensor(message, `${prefix}sparse initializer`, context);
    const name = tensor.values.name;
    if (name === '') fail('E_MODEL', 'check', `${prefix}sparse initializer`, 'has no name');
    if (initializers.has(name) || dense.has(name)) fail('E_MODEL', 'check', `${prefix}sparse initializer ${quote(name)}`, 'appears twice');
    initializers.set(name, tensor);
  }
  return initializers;
}

function decodeAnnotations(messages: readonly onnx.TensorAnnotation.$Properties[], prefix: string): Map<string, Map<string, string>> {
  const annotations = new Map<string, Map<string, string>>();
  for (const message of messages) {
    const name = message.tensorName ?? '';
    const where = `${prefix}quantization annotation of ${quote(name)}`;
    if (annotations.has(name)) fail('E_MODEL', 'check', where, 'appears twice');
    annotations.set(name, toMap(message.quantParameterTensorNames, where));
  }
  return annotations;
}

/** Converts a graph or subgraph; `prefix` says in messages where it is. */
export function decodeGraph(message: onnx.GraphProto.$Properties, prefix: string, context: DecodeContext): OnnxGraph {
  const initializers = decodeInitializers(message.initializer ?? [], prefix, context);
  return {
    name: message.name ?? '',
    nodes: (message.node ?? []).map((node) => decodeNode(node, prefix, context)),
    inputs: (message.input ?? []).map((value) => decodeValueInfo(value, `${prefix}graph input`)),
    outputs: (message.output ?? []).map((value) => decodeValueInfo(value, `${prefix}graph output`)),
    valueInfo: (message.valueInfo ?? []).map((value) => decodeValueInfo(value, `${prefix}value`)),
    initializers,
    sparseInitializers: decodeSparseInitializers(message.sparseInitializer ?? [], initializers, prefix, context),
    quantization: decodeAnnotations(message.quantizationAnnotation ?? [], prefix),
    docString: looseText(message.docString ?? new Uint8Array(0)),
    metadata: toMap(message.metadataProps, `${prefix}graph metadata_props`),
  };
}
