export {
  type ClassificationData,
  type ClassificationDataOptions,
  type ClassificationExample,
  readClassification,
} from './datasets/classification';
export type { Dataset, OnError } from './datasets/errors';
export { GLUE_TASKS, type GlueTask, type GlueTaskName } from './datasets/glue';
export { type DataRecord, formatOf, type RecordFormat, type RecordOptions, readRecords } from './datasets/records';
export { parseSquad, readSquad, type SquadExample, type SquadOptions } from './datasets/squad';
export { type PlainText, readTexts, type TextsOptions } from './datasets/texts';
export {
  type ClassificationEvaluation,
  type ClassificationMetrics,
  type ClassificationResult,
  evaluateClassification,
} from './evaluate-classification';
export { evaluateQuestionAnswering, type QuestionAnsweringEvaluation, type QuestionAnsweringResult } from './evaluate-question-answering';
export { type BootstrapOptions, type PairedDifference, pairedBootstrap, type Statistic } from './metrics/bootstrap';
export { accuracy, f1Score, macroF1, matthewsCorrelation, pearsonCorrelation, spearmanCorrelation } from './metrics/classification';
export {
  answerF1,
  exactMatch,
  normalizeAnswer,
  type ScoredQuestion,
  type SquadPredictions,
  type SquadScore,
  squadScore,
} from './metrics/squad';
export type { EvaluationProgress } from './progress';
