export { type FeatureExtractionOptions, type FeatureExtractionPipeline, featureExtraction } from './pipelines/feature-extraction';
export { batchFeeds, lengthBatches } from './pipelines/feeds';
export {
  type Answer,
  type AnswerOptions,
  type AnswerSpan,
  type QuestionAndContext,
  type QuestionAnsweringOptions,
  type QuestionAnsweringPipeline,
  questionAnswering,
} from './pipelines/question-answering';
export type { PipelineModel, PipelineRunOptions, Progress, RunModel } from './pipelines/run-model';
export {
  type Classification,
  type ClassifyOptions,
  type TextClassificationOptions,
  type TextClassificationPipeline,
  textClassification,
} from './pipelines/text-classification';
export type { TextItem, TextModel } from './pipelines/text-items';
export { Encoding } from './tokenizer/encoding';
export { loadTokenizer, type TokenizerSource } from './tokenizer/load-tokenizer';
export { type EncodeOptions, Tokenizer, type WindowOptions } from './tokenizer/tokenizer';
