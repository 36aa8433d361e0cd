import { loadTokenizer } from '@neural-engine/text';
import { beforeAll, expect, it } from 'vitest';
import { encoderModel } from '../../../tooling/models/encoder';
import { type LoadedModel, load, pipeline, type Runner } from './index';

const WORDS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'who', 'built', 'the', 'old', 'mill', 'martha', 'did', 'in', 'spring'];
const tokenizer = await loadTokenizer({
  tokenizerJson: {
    added_tokens: WORDS.slice(0, 4).map((content, id) => ({ id, content, special: true })),
    normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(WORDS.map((word, id) => [word, id])),
    },
  },
});
const questions = Array.from({ length: 12 }, (_, i) => ({
  question: 'Who built the mill',
  context: `${'the old mill '.repeat(i + 1)}Martha built in spring`,
}));

let model: LoadedModel;
beforeAll(async () => {
  const shape = { layers: 1, hidden: 64, heads: 2, ffn: 128, vocabulary: WORDS.length, positions: 64 };
  model = await load(encoderModel({ family: 'distilbert', ...shape }));
});

it('answers over a pool as over a session of its own, and leaves the pool open', async () => {
  await using own = await pipeline('question-answering', model, { tokenizer });
  await using pool = await model.pool({ instances: 2, threadsPerInstance: 1 });
  const pooled = await pipeline('question-answering', model, { tokenizer, runner: pool });
  const answers = await Promise.all(questions.map(({ question, context }) => pooled.answer(question, context)));
  for (const [i, { question, context }] of questions.entries()) {
    const { answer, start, end } = await own.answer(question, context);
    expect(answers[i]).toMatchObject({ answer, start, end });
  }
  expect(pool.statistics.answered).toBe(questions.length);
  await pooled.close();
  expect((await pooled.answer(questions[0]!.question, questions[0]!.context)).answer).toBe(answers[0]!.answer);
});

it('refuses what the bounded queue of its pool refuses', async () => {
  await using pool = await model.pool({ instances: 1, threadsPerInstance: 1, maxQueue: 0 });
  const pooled = await pipeline('question-answering', model, { tokenizer, runner: pool });
  const outcomes = await Promise.allSettled(questions.map(({ question, context }) => pooled.answer(question, context)));
  expect(outcomes[0]).toMatchObject({ status: 'fulfilled' });
  for (const refused of outcomes.slice(1)) expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'E_OVERLOAD' } });
});

it('runs in whatever runs the model, with the signal of the call', async () => {
  const session = await model.session({ threads: 1 });
  const seen: (AbortSignal | undefined)[] = [];
  const runner: Runner = {
    run: (feeds, options) => {
      seen.push(options?.signal);
      return session.run(feeds, options);
    },
  };
  const { signal } = new AbortController();
  const qa = await pipeline('question-answering', model, { tokenizer, runner });
  await qa.answer(questions[0]!.question, questions[0]!.context, { signal });
  expect(seen).toEqual([signal]);
  await session.close();
});
