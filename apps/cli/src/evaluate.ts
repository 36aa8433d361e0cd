import { EngineError } from '@neural-engine/core';
import { demoSamplesPath } from '@neural-engine/demo-model';
import { classLabels, type LoadOptions, load, locate, type ModelSource, runnerOf, tokenizerOf } from '@neural-engine/engine';
import {
  type ClassificationResult,
  evaluateClassification,
  evaluateQuestionAnswering,
  GLUE_TASKS,
  type GlueTask,
  type GlueTaskName,
  type OnError,
  pearsonCorrelation,
  type QuestionAnsweringResult,
  readClassification,
  readSquad,
  type Statistic,
} from '@neural-engine/evaluation';
import { questionAnswering, type RunModel, type Tokenizer, textClassification } from '@neural-engine/text';
import { openOrt, ortFile } from './bench/ort';
import { embeddingsOf } from './embeddings';
import { progress } from './output/progress';
import { Outputs } from './outputs';
import { tuneOf } from './tune';

export interface EvaluateOptions {
  /** `squad`, or the name of a GLUE task. */
  readonly task: string;
  readonly data?: string;
  readonly limit?: number;
  readonly batchSize: number;
  readonly threads?: number;
  readonly tokenizer?: string | Tokenizer;
  readonly sparse?: LoadOptions['sparse'];
  readonly rounding?: LoadOptions['rounding'];
  readonly embeddings?: string;
  readonly tune?: string;
  readonly engine: string;
  readonly predictions?: string;
  /** Replaces a file of predictions. */
  readonly force?: boolean;
  readonly onError?: string;
  /** Said before the progress bar. */
  readonly title?: string;
}

/** Figures as the command prints them: percent for SQuAD, fractions and correlations for GLUE. */
export interface Evaluation {
  readonly task: string;
  readonly figures: Readonly<Record<string, number>>;
  /** One score an example for paired statistics: 0 to 1, or what a regression says. */
  readonly scores: ArrayLike<number>;
  /** What the scores of a regression come to: Pearson's correlation with the labels. */
  readonly statistic?: Statistic;
  readonly total: number;
  readonly skipped: number;
  readonly seconds: number;
}

/** The two figures of SQuAD, in percent. */
export const squadFigures = ({ figures }: Evaluation): { f1: number; exactMatch: number } => ({
  f1: figures['f1']!,
  exactMatch: figures['exactMatch']!,
});

export const TASKS: readonly string[] = ['squad', ...Object.keys(GLUE_TASKS)];

/** Runs a model over a data set and scores what it says as the set's official script does. */
export async function evaluate(source: ModelSource, options: EvaluateOptions): Promise<Evaluation> {
  if (!TASKS.includes(options.task))
    throw new EngineError('E_USAGE', 'usage', `--task ${options.task}: expected one of ${TASKS.join(', ')}`);
  const onError = options.onError ?? 'fail';
  if (onError !== 'fail' && onError !== 'skip') throw new EngineError('E_USAGE', 'usage', `--on-error ${onError}: expected fail or skip`);
  return options.task === 'squad' ? evaluateSquad(source, options, onError) : evaluateGlue(source, options, onError);
}

async function evaluateSquad(source: ModelSource, options: EvaluateOptions, onError: OnError): Promise<Evaluation> {
  using outputs = await claimPredictions(source, options);
  const { examples, skipped } = await readSquad(options.data ?? demoSamplesPath(), { onError });
  const result = await withModel(source, options, examples.length, ({ base, onProgress, limit }) =>
    evaluateQuestionAnswering({ examples, pipeline: questionAnswering(base), onProgress, limit }),
  );
  await outputs.save(options.predictions, () => `${JSON.stringify(result.predictions)}\n`);
  const { f1, exactMatch, total, seconds, perQuestion } = result;
  return { task: 'squad', figures: { f1, exactMatch }, scores: perQuestion.f1, total, skipped, seconds };
}

async function evaluateGlue(source: ModelSource, options: EvaluateOptions, onError: OnError): Promise<Evaluation> {
  if (options.data === undefined)
    throw new EngineError('E_USAGE', 'usage', `--task ${options.task} needs --data: a labelled tsv, csv, json or jsonl file`);
  const task = options.task as GlueTaskName;
  using outputs = await claimPredictions(source, options);
  const located = locate(source);
  const labels = 'directory' in located ? await classLabels(located.directory) : undefined;
  const data = await readClassification(options.data, {
    task,
    onError,
    // A model whose classes have the task's names in another order: its order counts.
    ...(labels && sameNames(labels, GLUE_TASKS[task]) ? { labels } : {}),
  });
  const { examples, skipped, isRegression } = data;
  const result = await withModel(source, options, examples.length, ({ base, onProgress, limit }) =>
    evaluateClassification({ examples, pipeline: textClassification(base), regression: isRegression, onProgress, limit }),
  );
  await outputs.save(options.predictions, () => `${JSON.stringify(result.predictions)}\n`);
  const { kind, ...figures } = result.metrics;
  const { predictions, total, seconds } = result;
  const rest = { task, figures, total, skipped, seconds };
  if (kind === 'classes') return { ...rest, scores: predictions.map((label, i) => Number(label === examples[i]!.label)) };
  const statistic: Statistic = (scores, chosen) =>
    pearsonCorrelation(
      Float64Array.from(chosen, (i) => scores[i]!),
      Float64Array.from(chosen, (i) => examples[i]!.label),
    );
  return { ...rest, scores: predictions, statistic };
}

const claimPredictions = (source: ModelSource, { predictions, data, force }: EvaluateOptions): Promise<Outputs> =>
  Outputs.claim([{ flag: '--predictions', path: predictions }], [typeof source === 'string' ? source : undefined, data], force);

function sameNames(labels: readonly string[], task: GlueTask): boolean {
  return task.labels !== undefined && labels.length === task.labels.length && labels.every((name) => task.labels!.includes(name));
}

interface Opened {
  readonly base: { run: RunModel; inputNames: readonly string[]; tokenizer: Tokenizer; batchSize: number };
  readonly onProgress: (progress: { done: number }) => void;
  readonly limit: number | undefined;
}

async function withModel<Result extends QuestionAnsweringResult | ClassificationResult>(
  source: ModelSource,
  options: EvaluateOptions,
  examples: number,
  work: (opened: Opened) => Promise<Result>,
): Promise<Result> {
  const located = locate(source);
  const tokenizer = await tokenizerOf(options.tokenizer ?? ('directory' in located ? located.directory : undefined));
  const { run, inputNames, rows, close } = await openEngine(source, options);
  const bar = progress(options.title ?? 'evaluating', Math.min(examples, options.limit ?? examples));
  try {
    if (rows !== undefined) tokenizer.checkEmbedding(rows);
    const base = { run, inputNames, tokenizer, batchSize: options.batchSize };
    return await work({ base, onProgress: ({ done }) => bar.update(done), limit: options.limit });
  } finally {
    bar.stop();
    await close();
  }
}

async function openEngine(
  source: ModelSource,
  options: EvaluateOptions,
): Promise<{ run: RunModel; inputNames: readonly string[]; rows?: number | undefined; close: () => Promise<void> }> {
  if (options.engine === 'onnxruntime') {
    const peer = await openOrt(ortFile(source), options.threads ?? 1);
    return { run: (feeds) => peer.run(feeds), inputNames: peer.inputNames, close: () => peer.close() };
  }
  if (options.engine !== 'neural-engine')
    throw new EngineError('E_USAGE', 'usage', `--engine ${options.engine}: expected neural-engine or onnxruntime`);
  const { sparse, rounding } = options;
  const how = {
    ...(sparse ? { sparse } : {}),
    ...(rounding ? { rounding } : {}),
    ...embeddingsOf(options.embeddings),
    ...tuneOf(options.tune),
  };
  const model = await load(source, how);
  const session = await model.session(options.threads === undefined ? {} : { threads: options.threads });
  return {
    run: runnerOf(session),
    inputNames: model.inputs.map((port) => port.name),
    rows: model.vocabularySize,
    close: () => session.close(),
  };
}
