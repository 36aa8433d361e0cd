import { fail } from '../errors';
import type { onnx } from '../generated/onnx.js';
import { named, type Place } from '../place';
import type { OnnxGraph, OnnxSparseTensor, OnnxTensor, OnnxValueInfo } from '../types';
import { type DecodeContext, looseText, toMap, toNotes } from './context';
import { decodeNode } from './node';
import { decodeSparseTensor, decodeTensorMessage } from './tensor';
import { decodeType } from './type';

/** Converts a declared value. */
export function decodeValueInfo(message: onnx.ValueInfoProto.$Properties, place: Place): OnnxValueInfo {
  const name = message.name ?? '';
  const where = named(place, name);
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
  outer: Place,
  context: DecodeContext,
): Map<string, OnnxTensor> {
  const initializers = new Map<string, OnnxTensor>();
  for (const message of messages) {
    const tensor = decodeTensorMessage(message, outer.at('initializer'), context);
    if (tensor.name === '') fail('E_MODEL', 'check', outer.at('initializer'), 'has no name');
    if (initializers.has(tensor.name)) fail('E_MODEL', 'check', outer.at('initializer', tensor.name), 'appears twice');
    initializers.set(tensor.name, tensor);
  }
  return initializers;
}

function decodeSparseInitializers(
  messages: readonly onnx.SparseTensorProto.$Properties[],
  dense: ReadonlyMap<string, OnnxTensor>,
  outer: Place,
  context: DecodeContext,
): Map<string, OnnxSparseTensor> {
  const initializers = new Map<string, OnnxSparseTensor>();
  for (const message of messages) {
    const tensor = decodeSparseTensor(message, outer.at('sparse initializer'), context);
    const name = tensor.values.name;
    if (name === '') fail('E_MODEL', 'check', outer.at('sparse initializer'), 'has no name');
    if (initializers.has(name) || dense.has(name)) fail('E_MODEL', 'check', outer.at('sparse initializer', name), 'appears twice');
    initializers.set(name, tensor);
  }
  return initializers;
}

function decodeAnnotations(messages: readonly onnx.TensorAnnotation.$Properties[], outer: Place): Map<string, Map<string, string>> {
  const annotations = new Map<string, Map<string, string>>();
  for (const message of messages) {
    const name = message.tensorName ?? '';
    const where = outer.at('quantization annotation of', name);
    if (annotations.has(name)) fail('E_MODEL', 'check', where, 'appears twice');
    annotations.set(name, toMap(message.quantParameterTensorNames, where));
  }
  return annotations;
}

/** Converts a graph or subgraph; `outer` says in messages where it is. */
export function decodeGraph(message: onnx.GraphProto.$Properties, outer: Place, context: DecodeContext): OnnxGraph {
  const initializers = decodeInitializers(message.initializer ?? [], outer, context);
  return {
    name: message.name ?? '',
    nodes: (message.node ?? []).map((node) => decodeNode(node, outer, context)),
    inputs: (message.input ?? []).map((value) => decodeValueInfo(value, outer.at('graph input'))),
    outputs: (message.output ?? []).map((value) => decodeValueInfo(value, outer.at('graph output'))),
    valueInfo: (message.valueInfo ?? []).map((value) => decodeValueInfo(value, outer.at('value'))),
    initializers,
    sparseInitializers: decodeSparseInitializers(message.sparseInitializer ?? [], initializers, outer, context),
    quantization: decodeAnnotations(message.quantizationAnnotation ?? [], outer),
    docString: looseText(message.docString ?? new Uint8Array(0)),
    metadata: toMap(message.metadataProps, outer.at('graph metadata_props')),
  };
}
