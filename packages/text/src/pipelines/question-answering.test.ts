import { type Tensor, tensor, toBf16 } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { fakeModel } from '../test-runner';
import { TEST_TOKENS, testTokenizer } from '../test-tokenizer';
import { type QuestionAnsweringOptions, questionAnswering } from './question-answering';
import type { RunModel } from './run-model';

const tokenizer = await testTokenizer();
const idOf = (token: string) => TEST_TOKENS.indexOf(token);

/** Starts answers at `b`, ends them at `d`; every other logit is 0. */
const bToD = fakeModel('logits', 2, (id, channel) => (id === idOf(channel === 0 ? 'b' : 'd') ? 6 : 0));

const pipelineOf = (run: RunModel, options: Partial<QuestionAnsweringOptions> = {}) =>
  questionAnswering({ run, inputNames: ['input_ids', 'attention_mask'], tokenizer, ...options });

/** The same logits as two outputs. */
const asTwoOutputs =
  (run: RunModel): RunModel =>
  async (feeds) => {
    const { dims, data } = (await run(feeds))['logits']!;
    const half = (which: number): Tensor =>
      tensor(
        'f32',
        dims.slice(0, 2),
        Float32Array.from({ length: data.length / 2 }, (_, i) => Number(data[2 * i + which])),
      );
    return { start_logits: half(0), end_logits: half(1) };
  };

describe('an answer', () => {
  it.each([
    ['one output of pairs', bToD.run],
    ['two outputs', asTwoOutputs(bToD.run)],
  ])('is the best span of the context, from %s', async (_name, run) => {
    const context = 'a, B  c D. a';
    const answer = await pipelineOf(run).answer('who b d?', context);
    expect(answer).toEqual({ answer: 'B  c D', score: expect.any(Number), start: 3, end: 9 });
    expect(context.slice(answer.start, answer.end)).toBe(answer.answer);
  });

  it('has its probability among all admissible spans as score', async () => {
    // Spans of "b d": b (6), b d (12), d (6).
    const { score, nBest } = await pipelineOf(bToD.run).answer('who', 'b d', { nBest: 5 });
    const total = Math.exp(6) + Math.exp(12) + Math.exp(6);
    expect(score).toBeCloseTo(Math.exp(12) / total, 10);
    expect(nBest!.map(({ answer }) => answer)).toEqual(['b d', 'b', 'd']);
    expect(nBest!.reduce((sum, span) => sum + span.score, 0)).toBeCloseTo(1, 10);
  });

  it('is no longer than allowed', async () => {
    const pipeline = pipelineOf(bToD.run, { maxAnswerLength: 2 });
    expect((await pipeline.answer('who', 'a b c d')).answer).toBe('b');
  });

  it('is found in whichever window it lies, and once where windows overlap', async () => {
    const context = `${'a '.repeat(20)}b c d ${'a '.repeat(7)}`;
    const pipeline = pipelineOf(bToD.run, { maxLength: 14, stride: 6 });
    const { answer, start, nBest } = await pipeline.answer('who', context, { nBest: 3 });
    expect([answer, start]).toEqual(['b c d', 40]);
    expect(new Set(nBest!.map((span) => `${span.start}-${span.end}`)).size).toBe(3);
  });

  it('never comes from the question, special tokens or padding', async () => {
    const eager = fakeModel('logits', 2, (id) => ([idOf('[CLS]'), idOf('[SEP]'), idOf('[PAD]'), idOf('who')].includes(id) ? 50 : 0));
    const answers = await pipelineOf(eager.run).answerAll([
      { question: 'who', context: 'a b c d' },
      { question: 'who who who', context: 'the bridge' },
    ]);
    for (const { answer } of answers) expect('a b c d the bridge').toContain(answer);
  });
});

describe('many questions', () => {
  const items = Array.from({ length: 40 }, (_, i) => ({
    question: 'who',
    context: `${'a '.repeat((i * 7) % 23)}b ${'c '.repeat(i % 3)}d`,
  }));

  it('are answered in their order, in batches of similar length, longest first', async () => {
    const model = fakeModel('logits', 2, (id, channel) => (id === idOf(channel === 0 ? 'b' : 'd') ? 6 : 0));
    const seen: number[] = [];
    const answers = await pipelineOf(model.run, { batchSize: 8 }).answerAll(items, { onProgress: ({ done }) => seen.push(done) });
    expect(answers.map(({ answer }) => answer)).toEqual(items.map(({ context }) => context.slice(context.indexOf('b'))));
    expect(model.shapes.map(([batch]) => batch)).toEqual([8, 8, 8, 8, 8]);
    const lengths = model.shapes.map(([, length]) => length!);
    expect(lengths).toEqual([...lengths].sort((a, b) => b - a));
    expect(lengths.at(-1)).toBeLessThan(lengths[0]!);
    expect(seen.at(-1)).toBe(40);
  });

  it('have the same answers and scores whatever the batch', async () => {
    const one = await pipelineOf(bToD.run, { batchSize: 1 }).answerAll(items);
    expect(await pipelineOf(bToD.run, { batchSize: 64 }).answerAll(items)).toEqual(one);
  });

  it('stop when aborted, whatever the runner throws then', async () => {
    const controller = new AbortController();
    let runs = 0;
    const run: RunModel = async (feeds, options) => {
      if (++runs === 2) controller.abort();
      if (options!.signal!.aborted) throw new DOMException('stopped', 'AbortError');
      return bToD.run(feeds);
    };
    const work = pipelineOf(run, { batchSize: 4 }).answerAll(items, { signal: controller.signal });
    await expect(work).rejects.toMatchObject({ code: 'E_ABORTED' });
    expect(runs).toBe(2);
    await expect(pipelineOf(run).answer('who', 'a', { signal: controller.signal })).rejects.toMatchObject({ code: 'E_ABORTED' });
    expect(runs).toBe(2);
  });
});

describe('feeds', () => {
  it('are s64 and only what the model has', async () => {
    const model = fakeModel('logits', 2, () => 0);
    await pipelineOf(model.run, { inputNames: ['token_type_ids', 'input_ids', 'position_ids'] }).answerAll([
      { question: 'who', context: 'a b' },
      { question: 'who', context: 'a' },
    ]);
    const feeds = model.feeds[0]!;
    expect(Object.keys(feeds).sort()).toEqual(['input_ids', 'position_ids', 'token_type_ids']);
    expect(feeds['input_ids']).toEqual({
      dtype: 's64',
      dims: [2, 6],
      data: BigInt64Array.of(2n, 10n, 3n, 25n, 26n, 3n, 2n, 10n, 3n, 25n, 3n, 0n),
    });
    expect([...feeds['token_type_ids']!.data]).toEqual([0n, 0n, 0n, 1n, 1n, 1n, 0n, 0n, 0n, 1n, 1n, 0n]);
    expect([...feeds['position_ids']!.data]).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 0n, 1n, 2n, 3n, 4n, 0n]);
  });

  it('cannot be made for other inputs, which are named', () => {
    expect(() => pipelineOf(bToD.run, { inputNames: ['input_ids', 'pixel_values'] })).toThrow(
      expect.objectContaining({ code: 'E_UNSUPPORTED', message: expect.stringContaining('pixel_values') }),
    );
    expect(() => pipelineOf(bToD.run, { inputNames: [] })).toThrow(expect.objectContaining({ code: 'E_UNSUPPORTED' }));
  });
});

describe('what cannot be answered', () => {
  const code = (work: () => Promise<unknown>) =>
    work().then(
      () => 'answered',
      (error: { code: string }) => error.code,
    );

  it('is refused before anything runs', async () => {
    const pipeline = pipelineOf(bToD.run);
    expect(await code(() => pipeline.answer('', 'a'))).toBe('E_REQUEST');
    expect(await code(() => pipeline.answer('who', ' \n'))).toBe('E_REQUEST');
    expect(await code(() => pipeline.answer('who', 3 as unknown as string))).toBe('E_USAGE');
    expect(await code(() => pipelineOf(bToD.run, { maxLength: 8 }).answer('a b c d a b c d', 'a'))).toBe('E_REQUEST');
  });

  it('is refused when the context has no words', async () => {
    expect(await code(() => pipelineOf(bToD.run).answer('who', '\u200b\u0001'))).toBe('E_REQUEST');
  });

  it.each<[string, RunModel]>([
    ['no known output', async () => ({ scores: tensor('f32', [1], new Float32Array(1)), other: tensor('f32', [1], new Float32Array(1)) })],
    ['another shape', async () => ({ logits: tensor('f32', [1, 2], new Float32Array(2)) })],
    ['integers', async ({ input_ids }) => ({ logits: tensor('s32', [...input_ids!.dims, 2], new Int32Array(input_ids!.data.length * 2)) })],
    ['no numbers', fakeModel('logits', 2, () => Number.NaN).run],
    ['nothing finite', fakeModel('logits', 2, () => Number.NEGATIVE_INFINITY).run],
  ])('is an error of the model with %s', async (_name, run) => {
    expect(await code(() => pipelineOf(run).answer('who', 'a b'))).toBe('E_MODEL');
  });

  it('is refused with settings that cannot work', () => {
    for (const options of [{ maxLength: 3 }, { stride: 381 }, { maxLength: 100, stride: 97 }, { maxAnswerLength: 0 }, { nBest: 0 }]) {
      expect(() => pipelineOf(bToD.run, options)).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
    }
  });
});

it('widens 16-bit floats', async () => {
  const run: RunModel = async (feeds) => {
    const { dims, data } = (await bToD.run(feeds))['logits']!;
    return { logits: tensor('bf16', dims, Uint16Array.from(data as Float32Array, toBf16)) };
  };
  expect((await pipelineOf(run).answer('who', 'a b c d')).answer).toBe('b c d');
});
