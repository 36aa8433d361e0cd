import { fail } from '../errors';
import type { onnx } from '../generated/onnx.js';
import { type Long64, toBigInt, toSafeNumber } from '../long';
import { Place } from '../place';
import type { OnnxFunction, OnnxModel, OnnxTrainingInfo } from '../types';
import { decodeAttributes } from './attribute';
import { type DecodeContext, looseText, normalizeDomain, toMap, toOpsets } from './context';
import { decodeGraph, decodeValueInfo } from './graph';
import { decodeNode } from './node';

const NOTHING = new Uint8Array(0);
const ZERO: Long64 = { low: 0, high: 0, unsigned: false };

function decodeFunction(message: onnx.FunctionProto.$Properties, context: DecodeContext): OnnxFunction {
  const where = Place.MODEL.at('function', message.name ?? '');
  return {
    name: message.name ?? '',
    domain: normalizeDomain(message.domain ?? ''),
    overload: message.overload ?? '',
    inputs: [...(message.input ?? [])],
    outputs: [...(message.output ?? [])],
    attributes: [...(message.attribute ?? [])],
    defaults: decodeAttributes(message.attributeProto, where, context),
    opsets: toOpsets(message.opsetImport, where),
    nodes: (message.node ?? []).map((node) => decodeNode(node, where, context)),
    valueInfo: (message.valueInfo ?? []).map((value) => decodeValueInfo(value, where.at('value'))),
    docString: looseText(message.docString ?? NOTHING),
    metadata: toMap(message.metadataProps, where.at('metadata_props')),
  };
}

const decodeTraining = (message: onnx.TrainingInfoProto.$Properties, context: DecodeContext): OnnxTrainingInfo => ({
  initialization:
    message.initialization == null ? undefined : decodeGraph(message.initialization, Place.MODEL.at('training initialization'), context),
  algorithm: message.algorithm == null ? undefined : decodeGraph(message.algorithm, Place.MODEL.at('training algorithm'), context),
  initializationBinding: toMap(message.initializationBinding, Place.MODEL.at('training initialization_binding')),
  updateBinding: toMap(message.updateBinding, Place.MODEL.at('training update_binding')),
});

/** Before this version a file had no opset_import and meant operator set 1. */
export const FIRST_IR_WITH_OPSETS = 3;

/** Converts a decoded file. @throws {EngineError} E_PARSE there is no graph; else as the parts. */
export function decodeModelMessage(message: onnx.ModelProto.$Properties, context: DecodeContext): OnnxModel {
  if (message.graph == null) fail('E_PARSE', 'parse', 'model', message.opsetImport?.length ? 'no graph' : 'no graph, no opset_import');
  const irVersion = toSafeNumber((message.irVersion as Long64) ?? ZERO, 'E_MODEL', Place.MODEL.at('ir_version'));
  const opsets = toOpsets(message.opsetImport, Place.MODEL.at('model'));
  if (opsets.size === 0 && irVersion >= 1 && irVersion < FIRST_IR_WITH_OPSETS) opsets.set('', 1);
  return {
    irVersion,
    opsets,
    producer: { name: message.producerName ?? '', version: message.producerVersion ?? '' },
    domain: message.domain ?? '',
    modelVersion: toBigInt((message.modelVersion as Long64) ?? ZERO),
    docString: looseText(message.docString ?? NOTHING),
    graph: decodeGraph(message.graph, Place.MODEL, context),
    functions: (message.functions ?? []).map((each) => decodeFunction(each, context)),
    metadata: toMap(message.metadataProps, Place.MODEL.at('metadata_props')),
    training: (message.trainingInfo ?? []).map((each) => decodeTraining(each, context)),
    devices: (message.configuration ?? []).map((each) => ({
      name: each.name ?? '',
      deviceCount: each.numDevices ?? 0,
      devices: [...(each.device ?? [])],
    })),
    externalFiles: context.external?.locations ?? [],
    warnings: context.warnings,
  };
}
