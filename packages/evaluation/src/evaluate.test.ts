import { EngineError } from '@neural-engine/core';
import type { QuestionAnsweringPipeline, TextClassificationPipeline } from '@neural-engine/text';
import { describe, expect, it } from 'vitest';
import type { SquadExample } from './datasets/squad';
import { evaluateClassification } from './evaluate-classification';
import { evaluateQuestionAnswering } from './evaluate-question-answering';
import type { EvaluationProgress } from './progress';

const examples: SquadExample[] = Array.from({ length: 10 }, (_, i) => ({
  id: i === 0 ? '__proto__' : `q${i}`,
  title: '',
  question: 'which?',
  context: `number ${i} is it`,
  answers: [{ text: `number ${i}`, start: 0 }],
}));

/** Answers the first two words, but only the second for odd questions. */
const pipeline: QuestionAnsweringPipeline = {
  answer: () => Promise.reject(new Error('not used')),
  answerAll: async (items, { signal, onProgress } = {}) =>
    items.map(({ context }, i) => {
      if (signal?.aborted) throw new EngineError('E_ABORTED', 'text', 'aborted before the end');
      onProgress?.({ done: i + 1, total: items.length });
      const answer = context
        .split(' ')
        .slice(i % 2, 2)
        .join(' ');
      return { answer, score: 1, start: 0, end: answer.length };
    }),
};

describe('question answering', () => {
  it('is scored, with predictions in the official format and the time left on the way', async () => {
    const seen: EvaluationProgress[] = [];
    const result = await evaluateQuestionAnswering({ examples, pipeline, onProgress: (progress) => seen.push(progress) });
    expect(result).toMatchObject({ exactMatch: 50, total: 10, missing: 0 });
    expect(result.f1).toBeCloseTo((100 * (1 + 2 / 3)) / 2, 10);
    expect(Object.entries(result.predictions).slice(0, 2)).toEqual([
      ['__proto__', 'number 0'],
      ['q1', '1'],
    ]);
    expect(result.seconds).toBeGreaterThan(0);
    expect(seen.at(-1)).toMatchObject({ done: 10, total: 10, secondsLeft: 0 });
  });

  it('may be limited to the first questions', async () => {
    expect((await evaluateQuestionAnswering({ examples, pipeline, limit: 3 })).total).toBe(3);
    await expect(evaluateQuestionAnswering({ examples, pipeline, limit: 0 })).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(evaluateQuestionAnswering({ examples: [], pipeline })).rejects.toMatchObject({ code: 'E_DATASET' });
  });

  it('gives no figures when it is interrupted', async () => {
    const controller = new AbortController();
    const work = evaluateQuestionAnswering({
      examples,
      pipeline,
      signal: controller.signal,
      onProgress: ({ done }) => {
        if (done === 4) controller.abort();
      },
    });
    await expect(work).rejects.toMatchObject({
      code: 'E_ABORTED',
      stage: 'evaluate',
      message: 'interrupted after 4 of 10: there are no figures',
    });
  });

  it('passes errors of the pipeline on', async () => {
    const broken = { ...pipeline, answerAll: () => Promise.reject(new EngineError('E_MODEL', 'text', 'no logits')) };
    await expect(evaluateQuestionAnswering({ examples, pipeline: broken })).rejects.toMatchObject({ code: 'E_MODEL' });
  });
});

/** The logits are what the text says. */
const classifier: TextClassificationPipeline = {
  labels: undefined,
  classify: () => Promise.reject(new Error('not used')),
  classifyAll: () => Promise.reject(new Error('not used')),
  logitsAll: async (items, { signal } = {}) =>
    items.map((item) => {
      if (signal?.aborted) throw new EngineError('E_ABORTED', 'text', 'aborted before the end');
      return Float64Array.from(JSON.parse(typeof item === 'string' ? item : item.text) as number[]);
    }),
};

describe('classification', () => {
  it('is scored by the highest logit', async () => {
    const texts = ['[2, 1]', '[0, 5]', '[1, 3]', '[4, -1]'];
    const { metrics, predictions, total } = await evaluateClassification({
      examples: texts.map((text, i) => ({ text, label: i % 2 })),
      pipeline: classifier,
    });
    expect(predictions).toEqual([0, 1, 1, 0]);
    expect(total).toBe(4);
    expect(metrics).toEqual({ kind: 'classes', accuracy: 0.5, f1: 0.5, matthews: 0 });
  });

  it('means F1 over the classes where there are more than two', async () => {
    const examples = [
      { text: '[1, 0, 0]', label: 0 },
      { text: '[0, 1, 0]', label: 1 },
      { text: '[0, 1, 0]', label: 2 },
    ];
    const { metrics } = await evaluateClassification({ examples, pipeline: classifier });
    expect(metrics).toMatchObject({ f1: expect.closeTo((1 + 2 / 3 + 0) / 3, 12) });
  });

  it('correlates scores', async () => {
    const examples = [
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 6],
    ].map(([score, label]) => ({ text: `[${score}]`, label: label! }));
    const { metrics } = await evaluateClassification({ examples, pipeline: classifier, regression: true });
    expect(metrics).toEqual({ kind: 'scores', pearson: expect.closeTo(8 / Math.sqrt(70), 12), spearman: expect.closeTo(1, 12) });
  });

  it('refuses labels and outputs that do not fit', async () => {
    const run = (text: string, label: number, regression = false) =>
      evaluateClassification({ examples: [{ text, label }], pipeline: classifier, regression });
    await expect(run('[1, 2]', 2)).rejects.toMatchObject({ code: 'E_DATASET', where: 'example 0' });
    await expect(run('[1]', 0)).rejects.toMatchObject({ code: 'E_MODEL' });
    await expect(run('[1, 2]', 0, true)).rejects.toMatchObject({ code: 'E_MODEL' });
    const aborted = evaluateClassification({ examples: [{ text: '[1, 2]', label: 0 }], pipeline: classifier, signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ code: 'E_ABORTED', stage: 'evaluate' });
  });
});
