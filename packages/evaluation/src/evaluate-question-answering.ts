import { EngineError } from '@neural-engine/core';
import type { QuestionAnsweringPipeline } from '@neural-engine/text';
import type { SquadExample } from './datasets/squad';
import { type SquadScore, squadScore } from './metrics/squad';
import { type EvaluationProgress, limited, timedProgress, withoutPartialFigures } from './progress';

export interface QuestionAnsweringEvaluation {
  readonly examples: readonly SquadExample[];
  readonly pipeline: QuestionAnsweringPipeline;
  readonly onProgress?: ((progress: EvaluationProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Only the first so many questions. */
  readonly limit?: number | undefined;
}

export interface QuestionAnsweringResult extends SquadScore {
  /** In the official format, id → answer. */
  readonly predictions: Record<string, string>;
  /** Time of tokenisation, inference and search for spans. */
  readonly seconds: number;
}

/**
 * F1 and exact match of a pipeline, with the windows of many questions batched together by length.
 * @throws {EngineError} E_ABORTED interrupted: there are no figures then; E_DATASET no example; whatever the pipeline throws.
 */
export async function evaluateQuestionAnswering(evaluation: QuestionAnsweringEvaluation): Promise<QuestionAnsweringResult> {
  const examples = limited(evaluation.examples, evaluation.limit);
  if (examples.length === 0) throw new EngineError('E_DATASET', 'evaluate', 'there are no questions to evaluate');
  const progress = timedProgress(evaluation.onProgress);
  const answers = await withoutPartialFigures(progress, evaluation.signal, examples.length, () =>
    evaluation.pipeline.answerAll(examples, { signal: evaluation.signal, onProgress: progress.update }),
  );
  const seconds = progress.seconds();
  // No prototype: an id may be `__proto__`.
  const predictions: Record<string, string> = Object.create(null);
  examples.forEach(({ id }, i) => {
    predictions[id] = answers[i]!.answer;
  });
  return { ...squadScore(examples, predictions), predictions, seconds };
}
