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
import { questionAnswering, type RunModel, type TextClassificationPipeline, type Tokenizer, textClassification } from '@neural-engine/text';
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
  const order = labels && classOrder(labels, GLUE_TASKS[task]);
  const { examples, skipped, isRegression } = await readClassification(options.data, { task, onError });
  const result = await withModel(source, options, examples.length, ({ base, onProgress, limit }) => {
    const pipeline = order ? reordered(textClassification({ ...base, labels: labels! }), order) : textClassification(base);
    return evaluateClassification({ examples, pipeline, regression: isRegression, onProgress, limit });
  });
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

/** Where each class of the task stands among the model's; undefined where those have other names. Models differ in the case of theirs. */
function classOrder(labels: readonly string[], task: GlueTask): readonly number[] | undefined {
  const names = labels.map((name) => name.toLowerCase());
  const order = task.labels?.map((name) => names.indexOf(name));
  return order && order.length === names.length && !order.includes(-1) ? order : undefined;
}

/** The classes in the order of the task, which the numbers in its files and the class that F1 is of go by. */
const reordered = (pipeline: TextClassificationPipeline, order: readonly number[]): TextClassificationPipeline => ({
  ...pipeline,
  logitsAll: async (items, run) => (await pipeline.logitsAll(items, run)).map((logits) => Float64Array.from(order, (i) => logits[i]!)),
});

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
