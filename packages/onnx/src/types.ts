import type { DType, Shape, TypedArray } from '@neural-engine/core';

/** Element types that ONNX can store and the engine cannot compute with, under their ONNX names. */
export type OnnxOnlyDType =
  | 'UNDEFINED'
  | 'COMPLEX64'
  | 'COMPLEX128'
  | 'FLOAT8E4M3FN'
  | 'FLOAT8E4M3FNUZ'
  | 'FLOAT8E5M2'
  | 'FLOAT8E5M2FNUZ'
  | 'FLOAT8E8M0'
  | 'FLOAT4E2M1'
  | 'UINT4'
  | 'INT4'
  | 'UINT2'
  | 'INT2';

/** The engine's name where there is one, else ONNX's. `UNDEFINED` is a value without a declared tensor type. */
export type OnnxDType = DType | OnnxOnlyDType;

/** A whole ONNX file, without protobuf in it. Maps keep the file's order. */
export interface OnnxModel {
  irVersion: number;
  /** Operator-set version of each domain; the default domain `ai.onnx` has the key `''`. */
  opsets: Map<string, number>;
  producer: { name: string; version: string };
  domain: string;
  modelVersion: bigint;
  docString: string;
  graph: OnnxGraph;
  functions: OnnxFunction[];
  metadata: Map<string, string>;
  training: OnnxTrainingInfo[];
  devices: OnnxDeviceConfiguration[];
  /** Files of external data that its tensors lie in, by their names in the file: relative to the model's folder. */
  externalFiles: string[];
  /** Oddities that did not stop the file from loading. */
  warnings: string[];
}

/** Nodes in topological order and the values around them. */
export interface OnnxGraph {
  name: string;
  nodes: OnnxNode[];
  inputs: OnnxValueInfo[];
  outputs: OnnxValueInfo[];
  valueInfo: OnnxValueInfo[];
  initializers: Map<string, OnnxTensor>;
  /** By the name of their values tensor. */
  sparseInitializers: Map<string, OnnxSparseTensor>;
  /** Value name → role (such as `SCALE_TENSOR`) → name of the tensor that holds it. */
  quantization: Map<string, Map<string, string>>;
  docString: string;
  metadata: Map<string, string>;
}

/** One operator call. An empty name among the inputs or outputs is an operand left out. */
export interface OnnxNode {
  name: string;
  opType: string;
  /** `''` is the default domain `ai.onnx`. */
  domain: string;
  inputs: string[];
  outputs: string[];
  attributes: Map<string, OnnxAttribute>;
  /** Tells functions of one name and domain apart. */
  overload?: string;
  docString?: string;
  metadata?: Map<string, string>;
  devices?: OnnxNodeDevices[];
}

/**
 * The value of a node's attribute.
 *
 * Integers are bigint, because ONNX's are 64 bits wide; {@link attributeInt} and its kin hand out numbers. Strings that
 * are not UTF-8 keep their bytes in `raw`.
 */
export type OnnxAttribute = (
  | { type: 'float'; value: number }
  | { type: 'int'; value: bigint }
  | { type: 'string'; value: string; raw?: Uint8Array }
  | { type: 'tensor'; value: OnnxTensor }
  | { type: 'graph'; value: OnnxGraph }
  | { type: 'sparseTensor'; value: OnnxSparseTensor }
  | { type: 'valueType'; value: OnnxType }
  | { type: 'floats'; value: number[] }
  | { type: 'ints'; value: bigint[] }
  | { type: 'strings'; value: string[]; raw?: Uint8Array[] }
  | { type: 'tensors'; value: OnnxTensor[] }
  | { type: 'graphs'; value: OnnxGraph[] }
  | { type: 'sparseTensors'; value: OnnxSparseTensor[] }
  | { type: 'valueTypes'; value: OnnxType[] }
  /** In a function body: takes the value of the function's attribute `value`. */
  | { type: 'reference'; value: string; of: OnnxValueAttributeType }
) & { docString?: string };

export type OnnxAttributeType = OnnxAttribute['type'];
export type OnnxValueAttributeType = Exclude<OnnxAttributeType, 'reference'>;

/** A dense tensor whose elements are looked at only when asked for. */
export interface OnnxTensor {
  readonly name: string;
  readonly dtype: OnnxDType;
  readonly dims: number[];
  /** Bytes of all elements; for strings, of their UTF-8 text. */
  readonly byteLength: number;
  /** Where the elements lie when they are not in the model file. */
  readonly external?: OnnxExternalData;
  readonly docString?: string;
  readonly metadata?: Map<string, string>;
  /**
   * The elements, little-endian and row-major; 4-bit and 2-bit types packed, lowest bits first. A view of the file's
   * bytes where possible: do not write to it.
   * @throws {EngineError} E_UNSUPPORTED for strings; E_IO or E_PATH when an external file changed since it was checked.
   */
  bytes(): Uint8Array;
  /**
   * The elements as a typed array; f16 and bf16 are bit patterns. Copies only where the file does not align them.
   * @throws {EngineError} as {@link bytes}; E_UNSUPPORTED for dtypes outside the engine's own.
   */
  data(): TypedArray;
  /** The elements of a string tensor, else undefined. */
  readonly strings?: readonly string[];
  /** The elements of a string tensor as the bytes the file holds. */
  readonly stringBytes?: readonly Uint8Array[];
}

/** A range of another file, relative to the model's folder. */
export interface OnnxExternalData {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** A sparse tensor in coordinate form. */
export interface OnnxSparseTensor {
  /** [NNZ]; its name is the tensor's name. */
  values: OnnxTensor;
  /** s64 [NNZ] linear, or [NNZ, rank]; ascending without repeats. */
  indices: OnnxTensor;
  dims: number[];
}

/** What a graph says about one of its values. */
export interface OnnxValueInfo {
  name: string;
  /** `UNDEFINED` for a value that is no dense tensor or has no type. */
  dtype: OnnxDType;
  /** Undefined where even the rank is unknown. Names stand for symbolic dimensions. */
  shape: Shape | undefined;
  /** The full type where `dtype` and `shape` cannot say it: containers, sparse tensors, denotations. */
  type?: OnnxType;
  docString?: string;
  metadata?: Map<string, string>;
}

/** A value's type. Denotations are free text on the meaning of a type or, in order, of its dimensions. */
export type OnnxType = { denotation?: string } & (
  | { kind: 'tensor'; dtype: OnnxDType; shape: Shape | undefined; dimDenotations?: string[] }
  | { kind: 'sparseTensor'; dtype: OnnxDType; shape: Shape | undefined; dimDenotations?: string[] }
  | { kind: 'sequence'; element: OnnxType }
  | { kind: 'optional'; element: OnnxType }
  | { kind: 'map'; key: OnnxDType; value: OnnxType }
  | { kind: 'opaque'; domain: string; name: string }
  | { kind: 'unknown' }
);

/** An operator that the model defines out of others. */
export interface OnnxFunction {
  name: string;
  domain: string;
  overload: string;
  inputs: string[];
  outputs: string[];
  /** Names of the attributes without a default. */
  attributes: string[];
  /** Attributes with their defaults. */
  defaults: Map<string, OnnxAttribute>;
  opsets: Map<string, number>;
  nodes: OnnxNode[];
  valueInfo: OnnxValueInfo[];
  docString: string;
  metadata: Map<string, string>;
}

/** How to initialise and train the model; carried, never run. */
export interface OnnxTrainingInfo {
  initialization: OnnxGraph | undefined;
  algorithm: OnnxGraph | undefined;
  initializationBinding: Map<string, string>;
  updateBinding: Map<string, string>;
}

/** Devices that a model may be spread over; carried, never acted on. */
export interface OnnxDeviceConfiguration {
  name: string;
  deviceCount: number;
  devices: string[];
}

export interface OnnxNodeDevices {
  configuration: string;
  sharding: OnnxSharding[];
  pipelineStage: number | undefined;
}

export interface OnnxSharding {
  tensor: string;
  devices: bigint[];
  deviceGroups: { key: bigint; devices: bigint[] }[];
  dims: { axis: bigint; parts: { dim: bigint | string | null; shards: bigint }[] }[];
}
