import { EngineError } from '@neural-engine/core';
import type { TextClassificationPipeline } from '@neural-engine/text';
import type { ClassificationExample } from './datasets/classification';
import { accuracy, f1Score, macroF1, matthewsCorrelation, pearsonCorrelation, spearmanCorrelation } from './metrics/classification';
import { type EvaluationProgress, limited, timedProgress, withoutPartialFigures } from './progress';

export interface ClassificationEvaluation {
  readonly examples: readonly ClassificationExample[];
  readonly pipeline: TextClassificationPipeline;
  /** Labels are scores, and so is the model's single output. Default false. */
  readonly regression?: boolean | undefined;
  readonly onProgress?: ((progress: EvaluationProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Only the first so many examples. */
  readonly limit?: number | undefined;
}

/** Figures are fractions, 0 to 1, or correlations, −1 to 1. */
export type ClassificationMetrics =
  | {
      readonly kind: 'classes';
      readonly accuracy: number;
      /** Of class 1 where there are two classes, else the mean over the classes. */
      readonly f1: number;
      readonly matthews: number;
    }
  | { readonly kind: 'scores'; readonly pearson: number; readonly spearman: number };

export interface ClassificationResult {
  readonly metrics: ClassificationMetrics;
  readonly total: number;
  /** Predicted class or score of each example. */
  readonly predictions: readonly number[];
  readonly seconds: number;
}

/**
 * Accuracy, F1 and Matthews' correlation of a classifier, or Pearson's and Spearman's correlation of a regressor.
 * @throws {EngineError} E_ABORTED interrupted: there are no figures then; E_DATASET no examples, or labels beyond the model's classes.
 */
export async function evaluateClassification(evaluation: ClassificationEvaluation): Promise<ClassificationResult> {
  const examples = limited(evaluation.examples, evaluation.limit);
  if (examples.length === 0) throw new EngineError('E_DATASET', 'evaluate', 'there are no texts to evaluate');
  const progress = timedProgress(evaluation.onProgress);
  const logits = await withoutPartialFigures(progress, evaluation.signal, examples.length, () =>
    evaluation.pipeline.logitsAll(examples, { signal: evaluation.signal, onProgress: progress.update }),
  );
  const seconds = progress.seconds();
  const labels = examples.map(({ label }) => label);
  const classes = logits[0]!.length;
  if (evaluation.regression === true) {
    if (classes !== 1) throw new EngineError('E_MODEL', 'evaluate', `the model has ${classes} outputs a text, a score needs 1`);
    const predictions = logits.map(([score]) => score!);
    const metrics = {
      kind: 'scores',
      pearson: pearsonCorrelation(predictions, labels),
      spearman: spearmanCorrelation(predictions, labels),
    } as const;
    return { metrics, total: examples.length, predictions, seconds };
  }
  if (classes < 2) throw new EngineError('E_MODEL', 'evaluate', 'the model has 1 output a text, classes need at least 2');
  labels.forEach((label, i) => {
    if (label >= classes)
      throw new EngineError('E_DATASET', 'evaluate', `example ${i} has label ${label}, the model has ${classes} classes`, {
        where: `example ${i}`,
      });
  });
  const predictions = logits.map((values) => values.indexOf(values.reduce((best, value) => Math.max(best, value))));
  const f1 = classes === 2 ? f1Score(predictions, labels) : macroF1(predictions, labels);
  const metrics = {
    kind: 'classes',
    accuracy: accuracy(predictions, labels),
    f1,
    matthews: matthewsCorrelation(predictions, labels),
  } as const;
  return { metrics, total: examples.length, predictions, seconds };
}
