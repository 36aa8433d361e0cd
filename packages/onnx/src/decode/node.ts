import { quote } from '../errors';
import type { onnx } from '../generated/onnx.js';
import { type Long64, toBigInt } from '../long';
import type { Place } from '../place';
import type { OnnxNode, OnnxNodeDevices, OnnxSharding } from '../types';
import { decodeAttributes } from './attribute';
import { type DecodeContext, has, normalizeDomain, toNotes } from './context';

/** Names a node in messages: by its name, else by operator and first output. */
export function describeNode(node: { name?: string | null; opType?: string | null; outputs?: readonly string[] | null }): string {
  if (node.name) return `node ${quote(node.name)} (${quote(node.opType ?? '').slice(1, -1)})`;
  return `node (${quote(node.opType ?? '').slice(1, -1)}, output ${quote(node.outputs?.[0] ?? '')})`;
}

function decodeSharding(message: onnx.ShardingSpecProto.$Properties): OnnxSharding {
  const ints = (values: unknown): bigint[] => ((values ?? []) as Long64[]).map(toBigInt);
  const int = (value: unknown): bigint => (value == null ? 0n : toBigInt(value as Long64));
  return {
    tensor: message.tensorName ?? '',
    devices: ints(message.device),
    deviceGroups: (message.indexToDeviceGroupMap ?? []).map((entry) => ({ key: int(entry.key), devices: ints(entry.value) })),
    dims: (message.shardedDim ?? []).map((dim) => ({
      axis: int(dim.axis),
      parts: (dim.simpleSharding ?? []).map((part) => ({
        dim: part.dimParam ?? (part.dimValue == null ? null : int(part.dimValue)),
        shards: int(part.numShards),
      })),
    })),
  };
}

const decodeDevices = (message: onnx.NodeDeviceConfigurationProto.$Properties): OnnxNodeDevices => ({
  configuration: message.configurationId ?? '',
  sharding: (message.shardingSpec ?? []).map(decodeSharding),
  pipelineStage: has(message, 'pipelineStage') ? message.pipelineStage! : undefined,
});

/** Converts one node with all it holds. @throws {EngineError} as {@link decodeAttributes}. */
export function decodeNode(message: onnx.NodeProto.$Properties, outer: Place, context: DecodeContext): OnnxNode {
  const outputs = message.output?.length ? message.output : [];
  const where = outer.at(() => describeNode({ name: message.name, opType: message.opType, outputs }));
  const node: OnnxNode = {
    name: message.name ?? '',
    opType: message.opType ?? '',
    domain: normalizeDomain(message.domain ?? ''),
    inputs: message.input?.length ? message.input : [],
    outputs,
    attributes: decodeAttributes(message.attribute, where, context),
  };
  if (message.overload) node.overload = message.overload;
  Object.assign(node, toNotes(message, where));
  if (message.deviceConfigurations?.length) node.devices = message.deviceConfigurations.map(decodeDevices);
  return node;
}
