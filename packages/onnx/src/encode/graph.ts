import { quote } from '../errors';
import type { onnx } from '../generated/onnx.js';
import type { OnnxGraph, OnnxType, OnnxValueInfo } from '../types';
import { encodeNode } from './node';
import { encodeSparseTensor, encodeTensor } from './tensor';
import { encodeMap, encodeNotes } from './text';
import { encodeType } from './type';

function typeOf(value: OnnxValueInfo): OnnxType | undefined {
  if (value.type !== undefined) return value.type;
  return value.dtype === 'UNDEFINED' && value.shape === undefined ? undefined : { kind: 'tensor', dtype: value.dtype, shape: value.shape };
}

/** The ValueInfoProto of a declared value. */
export function encodeValueInfo(value: OnnxValueInfo): onnx.ValueInfoProto.$Properties {
  const type = typeOf(value);
  return {
    name: value.name,
    ...(type === undefined ? {} : { type: encodeType(type, `value ${quote(value.name)}`) }),
    ...encodeNotes(value),
  };
}

/** The GraphProto of a graph; without initializers where the caller writes these itself. */
export const encodeGraph = (graph: OnnxGraph, withInitializers: boolean): onnx.GraphProto.$Properties => ({
  node: graph.nodes.map(encodeNode),
  ...(graph.name === '' ? {} : { name: graph.name }),
  initializer: withInitializers ? [...graph.initializers.values()].map(encodeTensor) : [],
  sparseInitializer: [...graph.sparseInitializers.values()].map(encodeSparseTensor),
  input: graph.inputs.map(encodeValueInfo),
  output: graph.outputs.map(encodeValueInfo),
  valueInfo: graph.valueInfo.map(encodeValueInfo),
  quantizationAnnotation: [...graph.quantization].map(([tensorName, roles]) => ({
    tensorName,
    quantParameterTensorNames: encodeMap(roles),
  })),
  ...encodeNotes(graph),
});
