export type { Dataset, OnError } from './datasets/errors';
export { parseSquad, readSquad, type SquadExample, type SquadOptions } from './datasets/squad';
export { evaluateQuestionAnswering, type QuestionAnsweringEvaluation, type QuestionAnsweringResult } from './evaluate-question-answering';
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
