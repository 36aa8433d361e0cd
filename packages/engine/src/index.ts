export {
  type CompileOptions,
  type ExplainReport,
  explainer,
  formatReport,
  type PassEvent,
  type PassReport,
  type PatternSwitch,
  parsePatternSwitch,
  type Rounding,
} from '@neural-engine/compiler';
export {
  type Dims,
  type DType,
  EngineError,
  type EngineErrorOptions,
  type ErrorCode,
  type Stage,
  type Tensor,
  type TypedArray,
} from '@neural-engine/core';
export type { Statistic } from '@neural-engine/evaluation';
export { type Graph, type WriteIrOptions, writeIr } from '@neural-engine/ir';
export type { Program, RunProfile } from '@neural-engine/kernels';
export type { OnnxModel } from '@neural-engine/onnx';
export type {
  Calibration,
  CalibrationMethod,
  CalibrationOptions,
  FallbackResult,
  GraphRunner,
  LayerSensitivity,
  Observer,
  Precision,
  Recipe,
  Sample,
  Samples,
  Sensitivity,
  Trial,
} from '@neural-engine/quantizer';
export {
  type Feed,
  type Feeds,
  type FromPackedOptions,
  type KernelChoice,
  type Machine,
  Model,
  type ModelOptions,
  type OrtLikeTensor,
  type Placement,
  type PlaceOptions,
  Pool,
  type PoolOptions,
  type PoolRunOptions,
  type PoolStatistics,
  type Port,
  type Prepared,
  type PrepareOptions,
  type Profiled,
  placeInstances,
  type RunOptions,
  Session,
  type SessionOptions,
  type Tuning,
} from '@neural-engine/runtime';
export type { BlockName, SparsePolicy } from '@neural-engine/sparsity';
export type {
  Answer,
  AnswerOptions,
  AnswerSpan,
  Classification,
  ClassifyOptions,
  EncodeOptions,
  Encoding,
  FeatureExtractionOptions,
  FeatureExtractionPipeline,
  PipelineRunOptions,
  Progress,
  QuestionAndContext,
  QuestionAnsweringOptions,
  QuestionAnsweringPipeline,
  RunModel,
  TextClassificationOptions,
  TextClassificationPipeline,
  TextItem,
  Tokenizer,
  WindowOptions,
} from '@neural-engine/text';
export { cacheDirectory } from './cache';
export { embeddingRows } from './embedding-rows';
export { compileModel, LoadedModel, type LoadOptions, load } from './load';
export {
  type Closable,
  type CommonPipelineOptions,
  classLabels,
  type FeatureExtractionPipelineOptions,
  PIPELINE_TASKS,
  type PipelineOptions,
  type PipelineTask,
  pipeline,
  type Runner,
  runnerOf,
  type TextClassificationPipelineOptions,
  tokenizerOf,
} from './pipeline';
export { type PrunedLayer, type PruneModelOptions, pruneModel } from './prune/prune-model';
export { calibrateGraph, engineRunner, nativeObserver, type Quantized, type QuantizeOptions, quantize } from './quantize';
export {
  type Budget,
  measureAgainst,
  parseBudget,
  quantizeWithin,
  type TaskMeasure,
  type TaskScores,
  type WithinOptions,
  type WithinResult,
} from './quantize-within';
export { type Located, locate, type ModelSource } from './source';
