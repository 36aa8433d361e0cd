import { EngineError } from '@neural-engine/core';
import type { Session, SessionOptions } from '@neural-engine/runtime';
import {
  loadTokenizer,
  type QuestionAnsweringOptions,
  type QuestionAnsweringPipeline,
  questionAnswering,
  type RunModel,
  type Tokenizer,
} from '@neural-engine/text';
import { type LoadedModel, load } from './load';
import type { ModelSource } from './source';

export interface PipelineOptions extends Partial<Omit<QuestionAnsweringOptions, 'run' | 'inputNames' | 'tokenizer'>> {
  /** Folder or file of the tokenizer, or one that is loaded; default: the model's folder. */
  readonly tokenizer?: string | Tokenizer;
  /** Run in this session, which stays open; default: a session that `close` ends. */
  readonly session?: Session;
  readonly sessionOptions?: SessionOptions;
}

/** A pipeline and the session behind it. */
export interface Closable {
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A session as the function that text pipelines take. */
export function runnerOf(session: Session): RunModel {
  return (feeds, options) => session.run(feeds, options?.signal ? { signal: options.signal } : {});
}

/** Loads a tokenizer. @throws {EngineError} E_USAGE no place is known to look in. */
export async function tokenizerOf(source: string | Tokenizer | undefined): Promise<Tokenizer> {
  if (source === undefined)
    throw new EngineError('E_USAGE', 'text', 'the model came from memory: say where its tokenizer is (option "tokenizer")');
  return typeof source === 'string' ? loadTokenizer(source) : source;
}

/**
 * A text pipeline over a model: `question-answering` gives `{ answer, score, start, end }`.
 *
 * @throws {EngineError} E_UNSUPPORTED no pipeline of that name; E_TOKENIZER, E_NOT_FOUND what is wrong with the tokenizer.
 */
export async function pipeline(
  task: 'question-answering',
  model: LoadedModel | ModelSource,
  options: PipelineOptions = {},
): Promise<QuestionAnsweringPipeline & Closable> {
  if (task !== 'question-answering')
    throw new EngineError('E_UNSUPPORTED', 'text', `there is no pipeline "${String(task)}"; there is question-answering`);
  const loaded = isLoaded(model) ? model : await load(model);
  const { tokenizer: source, session: given, sessionOptions, ...rest } = options;
  const tokenizer = await tokenizerOf(source ?? loaded.directory);
  const session = given ?? (await loaded.session(sessionOptions));
  const close = async (): Promise<void> => {
    if (!given) await session.close();
  };
  const qa = questionAnswering({ ...rest, run: runnerOf(session), inputNames: loaded.inputs.map((port) => port.name), tokenizer });
  return { ...qa, close, [Symbol.asyncDispose]: close };
}

const isLoaded = (model: LoadedModel | ModelSource): model is LoadedModel => typeof model === 'object' && 'runtime' in model;
