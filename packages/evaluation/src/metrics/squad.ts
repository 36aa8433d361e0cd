import { EngineError } from '@neural-engine/core';

/** ASCII punctuation, which the official script removes without putting a space in its place. */
const PUNCTUATION = /[!-/:-@[-`{-~]/g;
/** The articles as whole words, where letters, digits and underscores of any script make words. */
const ARTICLES = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;
/** White space as Python's `str.split` knows it. */
const SPACES = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;

/** Lower case, no ASCII punctuation, no articles, single spaces: the form in which answers are compared. */
export function normalizeAnswer(text: string): string {
  return answerWords(text).join(' ');
}

function answerWords(text: string): string[] {
  return text
    .toLowerCase()
    .replace(PUNCTUATION, '')
    .replace(ARTICLES, ' ')
    .split(SPACES)
    .filter((word) => word !== '');
}

/** 1 if both are equal after normalisation, else 0. */
export const exactMatch = (prediction: string, truth: string): number => (normalizeAnswer(prediction) === normalizeAnswer(truth) ? 1 : 0);

/** Harmonic mean of precision and recall over the words that both have, each counted as often as it stands there. */
export function answerF1(prediction: string, truth: string): number {
  const predicted = answerWords(prediction);
  const expected = answerWords(truth);
  const left = new Map<string, number>();
  for (const word of expected) left.set(word, (left.get(word) ?? 0) + 1);
  let same = 0;
  for (const word of predicted) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    same++;
  }
  if (same === 0) return 0;
  const precision = same / predicted.length;
  const recall = same / expected.length;
  return (2 * precision * recall) / (precision + recall);
}

/** What is needed of a question to score it. */
export interface ScoredQuestion {
  readonly id: string;
  readonly answers: readonly { readonly text: string }[];
}

/** Predictions in the official format: id of the question → answer. */
export type SquadPredictions = Readonly<Record<string, string>>;

export interface SquadScore {
  /** Percent, 0 to 100, as the official script prints them. */
  readonly f1: number;
  readonly exactMatch: number;
  readonly total: number;
  /** Questions without a prediction; they score 0. */
  readonly missing: number;
  /** Each question's own figures (0 to 1) in the order of the questions, for paired statistics. */
  readonly perQuestion: { readonly f1: Float64Array; readonly exactMatch: Float64Array };
}

/**
 * F1 and exact match as the official SQuAD v1.1 script computes them: the best over all accepted answers, then the mean.
 * @throws {EngineError} E_DATASET no questions, or one without answers.
 */
export function squadScore(questions: readonly ScoredQuestion[], predictions: SquadPredictions): SquadScore {
  if (questions.length === 0) throw new EngineError('E_DATASET', 'evaluate', 'there are no questions to score');
  const f1 = new Float64Array(questions.length);
  const exact = new Float64Array(questions.length);
  let missing = 0;
  questions.forEach(({ id, answers }, i) => {
    if (answers.length === 0)
      throw new EngineError('E_DATASET', 'evaluate', `question ${JSON.stringify(id)} has no answers to compare with`, { where: id });
    if (!Object.hasOwn(predictions, id)) {
      missing++;
      return;
    }
    const prediction = predictions[id]!;
    for (const { text } of answers) {
      f1[i] = Math.max(f1[i]!, answerF1(prediction, text));
      exact[i] = Math.max(exact[i]!, exactMatch(prediction, text));
    }
  });
  const percent = (values: Float64Array) => (100 * values.reduce((sum, value) => sum + value, 0)) / values.length;
  return { f1: percent(f1), exactMatch: percent(exact), total: questions.length, missing, perQuestion: { f1, exactMatch: exact } };
}
