export { parsePatternSwitch } from '@neural-engine/compiler';
export { EngineError, type Tensor } from '@neural-engine/core';
export { writeIr } from '@neural-engine/ir';
export {
  type Feed,
  type Feeds,
  Model,
  type Placement,
  Pool,
  type PoolOptions,
  type PoolRunOptions,
  type PoolStatistics,
  type Port,
  placeInstances,
  type RunOptions,
  Session,
  type SessionOptions,
} from '@neural-engine/runtime';
export { cacheDirectory } from './cache';
export { embeddingRows } from './embedding-rows';
export { explainCollector } from './explain';
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
