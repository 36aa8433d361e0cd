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
export { Encoding } from './tokenizer/encoding';
export { loadTokenizer, type TokenizerSource } from './tokenizer/load-tokenizer';
export { type EncodeOptions, Tokenizer, type WindowOptions } from './tokenizer/tokenizer';
