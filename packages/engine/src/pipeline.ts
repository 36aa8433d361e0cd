import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, type Tensor } from '@neural-engine/core';
import type { Feeds, SessionOptions } from '@neural-engine/runtime';
import {
  type FeatureExtractionOptions,
  type FeatureExtractionPipeline,
  featureExtraction,
  loadTokenizer,
  type QuestionAnsweringOptions,
  type QuestionAnsweringPipeline,
  questionAnswering,
  type RunModel,
  type TextClassificationOptions,
  type TextClassificationPipeline,
  type Tokenizer,
  textClassification,
} from '@neural-engine/text';
import { type LoadedModel, load } from './load';
import type { ModelSource } from './source';

/** Runs a model: a `Session`, a `Pool`, or an adapter of the caller's own. */
export interface Runner {
  run(feeds: Feeds, options?: { readonly signal?: AbortSignal }): Promise<Record<string, Tensor>>;
}

/** What every pipeline may be told beside its own options. */
export interface CommonPipelineOptions {
  /** Folder or file of the tokenizer, or one that is loaded; default: the model's folder. */
  readonly tokenizer?: string | Tokenizer;
  /** Run in this session or pool, which stays open; default: a session that `close` ends. */
  readonly runner?: Runner;
  /** For the session that is opened where no runner is given. */
  readonly sessionOptions?: SessionOptions;
}

type Own<Options> = CommonPipelineOptions & Partial<Omit<Options, 'run' | 'inputNames' | 'tokenizer'>>;

export type PipelineOptions = Own<QuestionAnsweringOptions>;
export type TextClassificationPipelineOptions = Own<TextClassificationOptions>;
export type FeatureExtractionPipelineOptions = Own<FeatureExtractionOptions>;

/** A pipeline that may have opened a session. */
export interface Closable {
  /** Ends the session that the pipeline opened; a runner that it was given stays open. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The pipelines there are, by the names that the hub gives their tasks. */
export const PIPELINE_TASKS = ['question-answering', 'text-classification', 'feature-extraction'] as const;
export type PipelineTask = (typeof PIPELINE_TASKS)[number];

/** A session or a pool as the function that text pipelines take. */
export function runnerOf(runner: Runner): RunModel {
  return (feeds, options) => runner.run(feeds, options?.signal ? { signal: options.signal } : {});
}

/** Loads a tokenizer. @throws {EngineError} E_USAGE no place is known to look in. */
export async function tokenizerOf(source: string | Tokenizer | undefined): Promise<Tokenizer> {
  if (source === undefined)
    throw new EngineError('E_USAGE', 'text', 'the model came from memory: say where its tokenizer is (option "tokenizer")');
  return typeof source === 'string' ? loadTokenizer(source) : source;
}

/**
 * The class names in a model folder's `config.json` (`id2label`), in the order of the logits; undefined where there is none.
 *
 * @throws {EngineError} E_MODEL ids that are not 0, 1, … or names that are no texts.
 */
export async function classLabels(directory: string | undefined): Promise<string[] | undefined> {
  if (directory === undefined) return undefined;
  const path = join(directory, 'config.json');
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  let names: unknown;
  try {
    names = (JSON.parse(text) as { id2label?: unknown } | null)?.id2label;
  } catch (cause) {
    throw new EngineError('E_MODEL', 'text', `"${path}" is no JSON`, { where: path, cause });
  }
  if (typeof names !== 'object' || names === null) return undefined;
  const labels = Object.entries(names)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([id, name], i) => {
      if (Number(id) === i && typeof name === 'string') return name;
      throw new EngineError('E_MODEL', 'text', `"${path}": id2label has "${id}": ${JSON.stringify(name)}, expected a name for ${i}`, {
        where: path,
      });
    });
  return labels.length > 0 ? labels : undefined;
}

/**
 * A text pipeline over a model: `question-answering` gives `{ answer, score, start, end }`, `text-classification` labels with their scores,
 * `feature-extraction` embeddings.
 *
 * @throws {EngineError} E_UNSUPPORTED no pipeline of that name; E_TOKENIZER, E_NOT_FOUND what is wrong with the tokenizer; E_TOKENIZER it has
 * tokens that the model has no row for.
 */
export function pipeline(
  task: 'question-answering',
  model: LoadedModel | ModelSource,
  options?: PipelineOptions,
): Promise<QuestionAnsweringPipeline & Closable>;
export function pipeline(
  task: 'text-classification',
  model: LoadedModel | ModelSource,
  options?: TextClassificationPipelineOptions,
): Promise<TextClassificationPipeline & Closable>;
export function pipeline(
  task: 'feature-extraction',
  model: LoadedModel | ModelSource,
  options?: FeatureExtractionPipelineOptions,
): Promise<FeatureExtractionPipeline & Closable>;
export async function pipeline(
  task: PipelineTask,
  model: LoadedModel | ModelSource,
  options: PipelineOptions | TextClassificationPipelineOptions | FeatureExtractionPipelineOptions = {},
): Promise<(QuestionAnsweringPipeline | TextClassificationPipeline | FeatureExtractionPipeline) & Closable> {
  if (!PIPELINE_TASKS.includes(task))
    throw new EngineError('E_UNSUPPORTED', 'text', `there is no pipeline "${String(task)}"; there are ${PIPELINE_TASKS.join(', ')}`);
  const loaded = isLoaded(model) ? model : await load(model);
  const { tokenizer: source, runner: given, sessionOptions, ...rest } = options;
  const tokenizer = await tokenizerOf(source ?? loaded.directory);
  if (loaded.vocabularySize !== undefined) tokenizer.checkEmbedding(loaded.vocabularySize);
  const labels = task === 'text-classification' ? await classLabels(loaded.directory) : undefined;
  const own = given ? undefined : await loaded.session(sessionOptions);
  const close = async (): Promise<void> => own?.close();
  const base = { run: runnerOf((given ?? own)!), inputNames: loaded.inputs.map((port) => port.name), tokenizer };
  const closable = { close, [Symbol.asyncDispose]: close };
  try {
    switch (task) {
      case 'question-answering':
        return { ...questionAnswering({ ...rest, ...base }), ...closable };
      case 'text-classification':
        return { ...textClassification({ ...(labels ? { labels } : {}), ...rest, ...base }), ...closable };
      case 'feature-extraction':
        return { ...featureExtraction({ ...(rest as FeatureExtractionPipelineOptions), ...base }), ...closable };
    }
  } catch (error) {
    await close();
    throw error;
  }
}

const isLoaded = (model: LoadedModel | ModelSource): model is LoadedModel =>
  typeof model === 'object' && model !== null && 'runtime' in model;
