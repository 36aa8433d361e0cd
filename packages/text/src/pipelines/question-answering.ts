import { EngineError } from '@neural-engine/core';
import type { Encoding } from '../tokenizer/encoding';
import { requireInteger } from '../tokenizer/truncation';
import { type BatchResult, floatsOf, runBatches } from './batches';
import { checkInputNames } from './feeds';
import type { PipelineModel, PipelineRunOptions } from './run-model';
import { bestSpans, logAdd, type WindowSpans } from './spans';

export interface QuestionAnsweringOptions extends PipelineModel {
  /** Tokens a window, question and special tokens included. Default 384, or what the tokenizer's files allow if less. */
  readonly maxLength?: number;
  /** Context tokens that neighbouring windows share. Default 128, less for windows below 260. */
  readonly stride?: number;
  /** Tokens an answer may have. Default 30. */
  readonly maxAnswerLength?: number;
  /** Candidates kept of each window. Default 20. */
  readonly nBest?: number;
}

/** A part of the context: `answer === context.slice(start, end)`. */
export interface AnswerSpan {
  readonly answer: string;
  /** Probability among all admissible spans of all windows. */
  readonly score: number;
  /** UTF-16 units of the context. */
  readonly start: number;
  readonly end: number;
}

export interface Answer extends AnswerSpan {
  /** The best spans, this one first; only where asked for. */
  readonly nBest?: readonly AnswerSpan[];
}

export interface QuestionAndContext {
  readonly question: string;
  readonly context: string;
}

export interface AnswerOptions extends PipelineRunOptions {
  /** Adds so many of the best spans to each answer. */
  readonly nBest?: number;
}

export interface QuestionAnsweringPipeline {
  /** @throws {EngineError} E_REQUEST an empty question or context; E_ABORTED; E_MODEL outputs that are no span logits. */
  answer(question: string, context: string, options?: AnswerOptions): Promise<Answer>;
  /** Answers many questions, their windows batched together by length. Answers come in the order of the questions. */
  answerAll(items: readonly QuestionAndContext[], options?: AnswerOptions): Promise<Answer[]>;
}

/** Windows that are held and sorted together: enough for even batches, few enough to bound memory. */
const WINDOWS_AT_ONCE = 1024;

interface OpenItem {
  readonly index: number;
  readonly context: string;
  pending: number;
  logSum: number;
  spans: Map<string, { start: number; end: number; logit: number }>;
}

/**
 * Extractive question answering with a model that scores starts and ends: outputs `start_logits` and `end_logits` `[batch, sequence]`,
 * or one output `[batch, sequence, 2]`.
 * @throws {EngineError} E_UNSUPPORTED inputs that text cannot feed; E_USAGE impossible settings.
 */
export function questionAnswering(options: QuestionAnsweringOptions): QuestionAnsweringPipeline {
  const { tokenizer, maxAnswerLength = 30, nBest: kept = 20 } = options;
  const maxLength = options.maxLength ?? Math.min(384, tokenizer.modelMaxLength ?? 384);
  const stride = options.stride ?? Math.max(0, Math.min(128, (maxLength - 4) >> 1));
  checkInputNames(options.inputNames);
  requireInteger(maxAnswerLength, 'maxAnswerLength', 1);
  requireInteger(kept, 'nBest', 1);
  tokenizer.encodeWindows('', '', { maxLength, stride }); // throws now what would throw later

  async function answerAll(items: readonly QuestionAndContext[], run: AnswerOptions = {}): Promise<Answer[]> {
    const wanted = run.nBest ?? 0;
    requireInteger(wanted, 'nBest', 0);
    const perWindow = Math.max(kept, wanted);
    const answers: Answer[] = new Array(items.length);
    let done = 0;
    for (let next = 0; next < items.length; ) {
      const windows: Encoding[] = [];
      const owners: OpenItem[] = [];
      while (next < items.length && windows.length < WINDOWS_AT_ONCE) {
        const { question, context } = items[next]!;
        requireText(question, 'question', next);
        requireText(context, 'context', next);
        const own = tokenizer.encodeWindows(question, context, { maxLength, stride });
        const item: OpenItem = { index: next++, context, pending: own.length, logSum: Number.NEGATIVE_INFINITY, spans: new Map() };
        for (const window of own) {
          windows.push(window);
          owners.push(item);
        }
      }
      await runBatches(windows, options, run.signal, (result) => {
        const { start, end, step } = spanLogits(result);
        result.indices.forEach((index, row) => {
          const item = owners[index]!;
          const base = row * result.length * step;
          const at = { from: base, to: base + result.length * step };
          const found = bestSpans(
            column(start, at, step),
            column(end, at, step),
            contextRange(windows[index]!),
            maxAnswerLength,
            perWindow,
          );
          addSpans(item, windows[index]!, found);
          if (--item.pending > 0) return;
          answers[item.index] = finish(item, wanted);
          done++;
        });
        run.onProgress?.({ done, total: items.length });
      });
    }
    return answers;
  }

  return {
    answerAll,
    answer: async (question, context, run) => (await answerAll([{ question, context }], run))[0]!,
  };
}

function requireText(text: string, name: string, index: number): void {
  if (typeof text !== 'string')
    throw new EngineError('E_USAGE', 'text', `${name} ${index} is ${typeof text}, expected a string`, { where: name });
  if (text.trim() === '') throw new EngineError('E_REQUEST', 'text', `${name} ${index} is empty`, { where: name });
}

/** The two logit arrays, and how many elements apart neighbouring tokens are. */
function spanLogits({ outputs, indices, length }: BatchResult): { start: ArrayLike<number>; end: ArrayLike<number>; step: 1 | 2 } {
  const names = Object.keys(outputs);
  const starts = outputs['start_logits'];
  const ends = outputs['end_logits'];
  if (starts !== undefined && ends !== undefined) {
    const dims = [indices.length, length];
    return { start: floatsOf(starts, 'start_logits', dims), end: floatsOf(ends, 'end_logits', dims), step: 1 };
  }
  const name = outputs['logits'] === undefined && names.length === 1 ? names[0]! : 'logits';
  const both = outputs[name];
  if (both === undefined) {
    throw new EngineError(
      'E_MODEL',
      'text',
      `the model's outputs are ${names.join(', ') || 'none'}, expected start_logits and end_logits, or logits`,
    );
  }
  const data = floatsOf(both, name, [indices.length, length, 2]);
  return { start: data, end: data.subarray(1), step: 2 };
}

/** One row's logits, one a token. */
function column(data: ArrayLike<number>, { from, to }: { from: number; to: number }, step: 1 | 2): ArrayLike<number> {
  if (step === 1) return (data as Float32Array).subarray(from, to);
  const out = new Float64Array((to - from) / 2);
  for (let i = 0; i < out.length; i++) out[i] = data[from + 2 * i]!;
  return out;
}

/** The context's tokens in a window, which stand together. */
function contextRange(window: Encoding): { from: number; to: number } {
  const from = window.sequences.indexOf(1);
  return from < 0 ? { from: 0, to: 0 } : { from, to: window.sequences.lastIndexOf(1) + 1 };
}

/** Windows overlap: a span seen in two of them counts once, with the better logit. */
function addSpans(item: OpenItem, window: Encoding, { best, logSum }: WindowSpans): void {
  item.logSum = logAdd(item.logSum, logSum);
  for (const { first, last, logit } of best) {
    const start = window.starts[first]!;
    const end = window.ends[last]!;
    const key = `${start},${end}`;
    const known = item.spans.get(key);
    if (known === undefined || known.logit < logit) item.spans.set(key, { start, end, logit });
  }
}

function finish(item: OpenItem, wanted: number): Answer {
  const ranked = [...item.spans.values()].sort((a, b) => b.logit - a.logit || a.start - b.start || a.end - b.end);
  if (ranked.length === 0) throw new EngineError('E_REQUEST', 'text', `context ${item.index} has no words`, { where: 'context' });
  const toSpan = ({ start, end, logit }: (typeof ranked)[number]): AnswerSpan => ({
    answer: item.context.slice(start, end),
    score: Math.min(1, Math.exp(logit - item.logSum)),
    start,
    end,
  });
  const best = toSpan(ranked[0]!);
  return wanted > 0 ? { ...best, nBest: ranked.slice(0, wanted).map(toSpan) } : best;
}
