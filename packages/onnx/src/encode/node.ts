import { attributeTypeNumber } from '../decode/attribute';
import { describeNode } from '../decode/node';
import { quote } from '../errors';
import type { onnx } from '../generated/onnx.js';
import { fromBigInt } from '../long';
import type { OnnxAttribute, OnnxNode, OnnxNodeDevices, OnnxSharding } from '../types';
import { encodeGraph } from './graph';
import { encodeSparseTensor, encodeTensor } from './tensor';
import { encodeNotes, encodeText } from './text';
import { encodeType } from './type';

function encodeValue(attribute: OnnxAttribute, where: string): onnx.AttributeProto.$Properties {
  switch (attribute.type) {
    case 'float':
      return { f: attribute.value };
    case 'int':
      return { i: fromBigInt(attribute.value, where) };
    case 'string':
      return { s: attribute.raw ?? encodeText(attribute.value) };
    case 'tensor':
      return { t: encodeTensor(attribute.value) };
    case 'graph':
      return { g: encodeGraph(attribute.value, true) };
    case 'sparseTensor':
      return { sparseTensor: encodeSparseTensor(attribute.value) };
    case 'valueType':
      return { tp: encodeType(attribute.value, where) };
    case 'floats':
      return { floats: attribute.value };
    case 'ints':
      return { ints: attribute.value.map((value) => fromBigInt(value, where)) };
    case 'strings':
      return { strings: attribute.raw ?? attribute.value.map(encodeText) };
    case 'tensors':
      return { tensors: attribute.value.map(encodeTensor) };
    case 'graphs':
      return { graphs: attribute.value.map((graph) => encodeGraph(graph, true)) };
    case 'sparseTensors':
      return { sparseTensors: attribute.value.map(encodeSparseTensor) };
    case 'valueTypes':
      return { typeProtos: attribute.value.map((type) => encodeType(type, where)) };
    case 'reference':
      return { refAttrName: attribute.value };
  }
}

/** The attributes of a node or the defaults of a function. */
export const encodeAttributes = (attributes: ReadonlyMap<string, OnnxAttribute>, owner: string): onnx.AttributeProto.$Properties[] =>
  [...attributes].map(([name, attribute]) => ({
    name,
    type: attributeTypeNumber(attribute.type === 'reference' ? attribute.of : attribute.type),
    ...encodeValue(attribute, `${owner}: attribute ${quote(name)}`),
    ...encodeNotes({ docString: attribute.docString ?? '' }),
  }));

function encodeSharding(sharding: OnnxSharding): onnx.ShardingSpecProto.$Properties {
  const long = (value: bigint) => fromBigInt(value, `sharding of ${quote(sharding.tensor)}`);
  return {
    tensorName: sharding.tensor,
    device: sharding.devices.map(long),
    indexToDeviceGroupMap: sharding.deviceGroups.map((group) => ({ key: long(group.key), value: group.devices.map(long) })),
    shardedDim: sharding.dims.map((dim) => ({
      axis: long(dim.axis),
      simpleSharding: dim.parts.map((part) => ({
        ...(typeof part.dim === 'string' ? { dimParam: part.dim } : part.dim === null ? {} : { dimValue: long(part.dim) }),
        numShards: long(part.shards),
      })),
    })),
  };
}

const encodeDevices = (devices: OnnxNodeDevices): onnx.NodeDeviceConfigurationProto.$Properties => ({
  configurationId: devices.configuration,
  shardingSpec: devices.sharding.map(encodeSharding),
  ...(devices.pipelineStage === undefined ? {} : { pipelineStage: devices.pipelineStage }),
});

/** The NodeProto of a node. */
export const encodeNode = (node: OnnxNode): onnx.NodeProto.$Properties => ({
  input: node.inputs,
  output: node.outputs,
  ...(node.name === '' ? {} : { name: node.name }),
  opType: node.opType,
  attribute: encodeAttributes(node.attributes, describeNode(node)),
  ...(node.domain === '' ? {} : { domain: node.domain }),
  ...(node.overload ? { overload: node.overload } : {}),
  ...encodeNotes(node),
  ...(node.devices === undefined ? {} : { deviceConfigurations: node.devices.map(encodeDevices) }),
});
