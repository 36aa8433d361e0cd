import { LIMITS } from '@neural-engine/core';
import $protobuf from 'protobufjs/minimal.js';
import { FIRST_IR_WITH_OPSETS } from '../decode/model';
import { fail, quote } from '../errors';
import { onnx } from '../generated/onnx.js';
import { fromBigInt } from '../long';
import type { OnnxExternalData, OnnxFunction, OnnxModel, OnnxTensor, OnnxTrainingInfo } from '../types';
import { encodeGraph, encodeValueInfo } from './graph';
import { encodeAttributes, encodeNode } from './node';
import { encodeTensor, encodeTensorHead, encodeTensorReference } from './tensor';
import { encodeMap, encodeNotes, encodeOpsets } from './text';

/** Decides which initializers leave the file, and where to. */
export type PlaceOutside = (tensor: OnnxTensor) => OnnxExternalData | undefined;

type Encode<T> = (message: T, writer: undefined, depth: number) => $protobuf.Writer;

/** Below zero, for the reason given at {@link decodeMessage}: the model's own nesting is bounded by the checker. */
const START_DEPTH = -10_000;

const encodeWith = <T>(encode: (message: T, writer?: $protobuf.Writer) => $protobuf.Writer, message: T): Uint8Array =>
  (encode as Encode<T>)(message, undefined, START_DEPTH).finish();

/** A field tag of wire type 2 and the length that follows it. */
const delimiter = (field: number, length: number): Uint8Array =>
  $protobuf.Writer.create()
    .uint32((field << 3) | 2)
    .uint32(length)
    .finish();

const sizeOf = (chunks: readonly Uint8Array[]): number => chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);

const FIELD = { graph: 7, initializer: 5, rawData: 9 };

function tensorChunks(tensor: OnnxTensor, placeOutside: PlaceOutside): Uint8Array[] {
  const place = placeOutside(tensor);
  if (place !== undefined) return [encodeWith(onnx.TensorProto.encode, encodeTensorReference(tensor, place))];
  if (tensor.dtype === 'string') return [encodeWith(onnx.TensorProto.encode, encodeTensor(tensor))];
  const bytes = tensor.bytes();
  return [encodeWith(onnx.TensorProto.encode, encodeTensorHead(tensor)), delimiter(FIELD.rawData, bytes.byteLength), bytes];
}

const encodeFunction = (each: OnnxFunction): onnx.FunctionProto.$Properties => ({
  name: each.name,
  domain: each.domain,
  ...(each.overload === '' ? {} : { overload: each.overload }),
  input: each.inputs,
  output: each.outputs,
  attribute: each.attributes,
  attributeProto: encodeAttributes(each.defaults, `function ${quote(each.name)}`),
  node: each.nodes.map(encodeNode),
  opsetImport: encodeOpsets(each.opsets),
  valueInfo: each.valueInfo.map(encodeValueInfo),
  ...encodeNotes(each),
});

const encodeTraining = (each: OnnxTrainingInfo): onnx.TrainingInfoProto.$Properties => ({
  ...(each.initialization === undefined ? {} : { initialization: encodeGraph(each.initialization, true) }),
  ...(each.algorithm === undefined ? {} : { algorithm: encodeGraph(each.algorithm, true) }),
  initializationBinding: encodeMap(each.initializationBinding),
  updateBinding: encodeMap(each.updateBinding),
});

/** Before {@link FIRST_IR_WITH_OPSETS} the field does not exist, and operator set 1 goes without saying. */
const writesOpsets = (model: OnnxModel): boolean =>
  model.irVersion >= FIRST_IR_WITH_OPSETS || model.opsets.size !== 1 || model.opsets.get('') !== 1;

const encodeRest = (model: OnnxModel): onnx.ModelProto.$Properties => ({
  irVersion: fromBigInt(BigInt(model.irVersion), 'ir_version'),
  ...(model.producer.name === '' ? {} : { producerName: model.producer.name }),
  ...(model.producer.version === '' ? {} : { producerVersion: model.producer.version }),
  ...(model.domain === '' ? {} : { domain: model.domain }),
  ...(model.modelVersion === 0n ? {} : { modelVersion: fromBigInt(model.modelVersion, 'model_version') }),
  opsetImport: writesOpsets(model) ? encodeOpsets(model.opsets) : [],
  functions: model.functions.map(encodeFunction),
  trainingInfo: model.training.map(encodeTraining),
  configuration: model.devices.map((each) => ({ name: each.name, numDevices: each.deviceCount, device: each.devices })),
  ...encodeNotes(model),
});

/**
 * The file of a model as pieces that follow each other. Tensor data are not copied: a piece is the tensor's own bytes.
 * @throws {EngineError} E_LIMIT the file would pass protobuf's 2 GiB.
 */
export function encodeChunks(model: OnnxModel, placeOutside: PlaceOutside): Uint8Array[] {
  let inside = 0;
  for (const tensor of model.graph.initializers.values()) if (placeOutside(tensor) === undefined) inside += tensor.byteLength;
  const tooLarge = (bytes: number): never =>
    fail(
      'E_LIMIT',
      'save',
      'model',
      `${bytes} bytes are above protobuf's limit of ${LIMITS.onnxBytes}; write the weights to a file of their own (externalData)`,
    );
  if (inside > LIMITS.onnxBytes) tooLarge(inside);

  const graph = [encodeWith(onnx.GraphProto.encode, encodeGraph(model.graph, false))];
  for (const tensor of model.graph.initializers.values()) {
    const chunks = tensorChunks(tensor, placeOutside);
    graph.push(delimiter(FIELD.initializer, sizeOf(chunks)), ...chunks);
  }
  const rest = encodeWith(onnx.ModelProto.encode, encodeRest(model));
  const chunks = [rest, delimiter(FIELD.graph, sizeOf(graph)), ...graph];
  const size = sizeOf(chunks);
  return size > LIMITS.onnxBytes ? tooLarge(size) : chunks;
}

/** Puts pieces together. */
export function concatenate(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(sizeOf(chunks));
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}

/**
 * The bytes of a model's ONNX file, with every tensor inside; tensor elements are written as raw data.
 *
 * The model is not checked: call {@link checkModel} first where it was made by hand.
 * @throws {EngineError} E_LIMIT the file would pass protobuf's 2 GiB; E_IO, E_PATH an external tensor that cannot be read.
 */
export const encodeModel = (model: OnnxModel): Uint8Array => concatenate(encodeChunks(model, () => undefined));
