import { tensor } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { fakeModel } from '../test-runner';
import { TEST_TOKENS, testTokenizer } from '../test-tokenizer';
import { textClassification } from './text-classification';

const tokenizer = await testTokenizer();
const inputNames = ['input_ids', 'attention_mask'];
const a = TEST_TOKENS.indexOf('a');
/** Class 1 for texts that begin with `a`, class 0 for others. */
const startsWithA = fakeModel('logits', 2, (id, channel) => ((id === a) === (channel === 1) ? 2 : 0), true);

describe('classification', () => {
  const pipeline = textClassification({ run: startsWithA.run, inputNames, tokenizer, labels: ['NO', 'YES'] });

  it('gives the best class with its softmax', async () => {
    const score = Math.exp(2) / (Math.exp(2) + 1);
    expect(await pipeline.classify('a b')).toEqual([{ label: 'YES', score: expect.closeTo(score, 6) }]);
    expect(await pipeline.classify('b a', { topK: 5 })).toEqual([
      { label: 'NO', score: expect.closeTo(score, 6) },
      { label: 'YES', score: expect.closeTo(1 - score, 6) },
    ]);
  });

  it('keeps the order of many texts and pairs, and reports progress', async () => {
    const items = Array.from({ length: 50 }, (_, i) => ({ text: i % 3 === 0 ? 'a' : 'b'.repeat((i % 7) + 1), pair: 'c' }));
    const seen: number[] = [];
    const results = await pipeline.classifyAll(items, { onProgress: ({ done, total }) => seen.push(done / total) });
    expect(results.map(([best]) => best!.label)).toEqual(items.map(({ text }) => (text === 'a' ? 'YES' : 'NO')));
    expect(seen.at(-1)).toBe(1);
  });

  it('names classes without names by their number, and squashes a single one', async () => {
    const plain = textClassification({ run: startsWithA.run, inputNames, tokenizer });
    expect((await plain.classify('a'))[0]!.label).toBe('LABEL_1');
    const single = textClassification({ run: fakeModel('score', 1, () => 0, true).run, inputNames, tokenizer });
    expect(await single.classify('a')).toEqual([{ label: 'LABEL_0', score: 0.5 }]);
  });

  it('cuts long texts', async () => {
    const model = fakeModel('logits', 2, () => 0, true);
    await textClassification({ run: model.run, inputNames, tokenizer, maxLength: 10 }).classify('a '.repeat(500));
    expect(model.shapes).toEqual([[1, 10]]);
  });

  it('refuses outputs that are no logits of its classes', async () => {
    const three = textClassification({ run: startsWithA.run, inputNames, tokenizer, labels: ['x', 'y', 'z'] });
    await expect(three.classify('a')).rejects.toMatchObject({ code: 'E_MODEL' });
    const broken = textClassification({ run: fakeModel('logits', 2, () => Number.NaN, true).run, inputNames, tokenizer });
    await expect(broken.classify('a')).rejects.toMatchObject({ code: 'E_MODEL' });
    const none = textClassification({
      run: async () => ({ x: tensor('f32', [0], new Float32Array()), y: tensor('f32', [0], new Float32Array()) }),
      inputNames,
      tokenizer,
    });
    await expect(none.classify('a')).rejects.toMatchObject({ code: 'E_MODEL' });
  });

  it('refuses what is no text and settings that cannot work', async () => {
    await expect(pipeline.classify(7 as unknown as string)).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(pipeline.classify('a', { topK: 0 })).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(pipeline.classify('a', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'E_ABORTED' });
    expect(() => textClassification({ run: startsWithA.run, inputNames, tokenizer, maxLength: 1 })).toThrow(
      expect.objectContaining({ code: 'E_USAGE' }),
    );
  });
});
