export {
  attribute,
  attributeFloat,
  attributeFloats,
  attributeGraph,
  attributeInt,
  attributeInts,
  attributeString,
  attributeStrings,
  attributeTensor,
} from './attributes';
export { type GraphParts, type ModelOptions, makeGraph, makeModel, makeNode, makeTensor, makeValueInfo } from './build';
export { checkModel, NEWEST_IR_VERSION, NEWEST_OPSET } from './check/model';
export { type DecodeOptions, decodeModel, decodeTensor } from './decode-model';
export { encodeModel } from './encode/model';
export { type ReadOptions, readModel } from './read-model';
export type {
  OnnxAttribute,
  OnnxAttributeType,
  OnnxDeviceConfiguration,
  OnnxDType,
  OnnxExternalData,
  OnnxFunction,
  OnnxGraph,
  OnnxModel,
  OnnxNode,
  OnnxNodeDevices,
  OnnxOnlyDType,
  OnnxSharding,
  OnnxSparseTensor,
  OnnxTensor,
  OnnxTrainingInfo,
  OnnxType,
  OnnxValueAttributeType,
  OnnxValueInfo,
} from './types';
export { type WriteOptions, type WrittenModel, writeModel } from './write-model';
