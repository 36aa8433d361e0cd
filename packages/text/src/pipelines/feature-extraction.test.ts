import { type Tensor, tensor } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { fakeModel } from '../test-runner';
import { testTokenizer } from '../test-tokenizer';
import { featureExtraction } from './feature-extraction';

const tokenizer = await testTokenizer();
const inputNames = ['input_ids', 'attention_mask'];
/** Hidden state `[id, 1]`; a padded position has huge values, which must not be seen. */
const hidden = fakeModel('last_hidden_state', 2, (id, channel, mask) => (mask === 0 ? 1e9 : channel === 0 ? id : 1));

describe('embeddings', () => {
  it('are the mean over real tokens, also beside longer texts', async () => {
    const pipeline = featureExtraction({ run: hidden.run, inputNames, tokenizer, normalize: false });
    // [CLS] = 2, a = 25, [SEP] = 3.
    const [short, long] = await pipeline.embedAll(['a', 'a a a a']);
    expect([...short!]).toEqual([10, 1]);
    expect([...long!]).toEqual([17.5, 1]);
  });

  it('have length 1 unless told otherwise', async () => {
    const embedding = await featureExtraction({ run: hidden.run, inputNames, tokenizer }).embed('a');
    expect(embedding).toBeInstanceOf(Float32Array);
    expect(Math.hypot(...embedding)).toBeCloseTo(1, 6);
    const zero = fakeModel('last_hidden_state', 2, () => 0);
    expect([...(await featureExtraction({ run: zero.run, inputNames, tokenizer }).embed('a'))]).toEqual([0, 0]);
  });

  it('may be the first token', async () => {
    const pipeline = featureExtraction({ run: hidden.run, inputNames, tokenizer, pooling: 'cls', normalize: false });
    expect((await pipeline.embedAll(['a', 'b c'])).map((values) => [...values])).toEqual([
      [2, 1],
      [2, 1],
    ]);
  });

  it('are taken as they are from a model that pools by itself', async () => {
    const pooled = fakeModel('sentence_embedding', 3, (id, channel) => id + channel, true);
    const pipeline = featureExtraction({ run: pooled.run, inputNames, tokenizer, normalize: false });
    expect([...(await pipeline.embed('a'))]).toEqual([25, 26, 27]);
  });

  it('come from the named output, or from hidden states before a pooled output', async () => {
    const both = async (feeds: Record<string, Tensor>) => ({
      pooler_output: tensor('f32', [feeds['input_ids']!.dims[0]!, 2], new Float32Array(feeds['input_ids']!.dims[0]! * 2).fill(7)),
      states: (await hidden.run(feeds))['last_hidden_state']!,
    });
    const options = { run: both, inputNames, tokenizer, normalize: false };
    expect([...(await featureExtraction(options).embed('a'))]).toEqual([10, 1]);
    expect([...(await featureExtraction({ ...options, output: 'pooler_output' }).embed('a'))]).toEqual([7, 7]);
    await expect(featureExtraction({ ...options, output: 'absent' }).embed('a')).rejects.toMatchObject({ code: 'E_MODEL' });
  });

  it('refuse a pooling that is not known', () => {
    expect(() => featureExtraction({ run: hidden.run, inputNames, tokenizer, pooling: 'max' as 'mean' })).toThrow(
      expect.objectContaining({ code: 'E_USAGE' }),
    );
  });
});
