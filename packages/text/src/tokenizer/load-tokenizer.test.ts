import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TEST_TOKENS, type TestTokenizerJson, testTokenizerJson } from '../test-tokenizer';
import { loadTokenizer } from './load-tokenizer';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ne-tokenizer-'));
});
afterAll(() => rm(folder, { recursive: true }));

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'loaded',
    (error: { code?: string }) => error.code ?? String(error),
  );

const loadChanged = (change: (json: TestTokenizerJson) => void) => loadTokenizer({ tokenizerJson: testTokenizerJson(change) });

describe('loading from files', () => {
  it('takes a tokenizer.json, its folder, a vocab.txt or its folder, to the same effect', async () => {
    const json = join(folder, 'tokenizer.json');
    await writeFile(json, JSON.stringify(testTokenizerJson()));
    const vocab = join(folder, 'vocab.txt');
    await writeFile(vocab, `${TEST_TOKENS.join('\n')}\n`);
    const text = 'Playing the [MASK] bridge!';
    const expected = (await loadTokenizer(json)).encode(text).ids;
    for (const source of [folder, vocab]) expect((await loadTokenizer(source)).encode(text).ids).toEqual(expected);
    await rm(json);
    expect((await loadTokenizer(folder)).encode(text).ids).toEqual(expected);
    await writeFile(vocab, TEST_TOKENS.join('\r\n'));
    expect((await loadTokenizer(folder)).encode(text).ids).toEqual(expected);
  });

  it('honours tokenizer_config.json beside a vocab.txt', async () => {
    await writeFile(join(folder, 'vocab.txt'), `${TEST_TOKENS.join('\n')}\nThe\n`);
    await writeFile(
      join(folder, 'tokenizer_config.json'),
      JSON.stringify({ do_lower_case: false, model_max_length: 128, pad_token: { content: '[MASK]' } }),
    );
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer.encode('The the', { addSpecialTokens: false }).tokens).toEqual(['The', 'the']);
    expect(tokenizer.modelMaxLength).toBe(128);
    expect(tokenizer.padId).toBe(4);
    await rm(join(folder, 'tokenizer_config.json'));
  });

  it('says what is not there or cannot be read', async () => {
    expect(await codeOf(loadTokenizer(join(folder, 'absent')))).toBe('E_NOT_FOUND');
    const empty = await mkdtemp(join(tmpdir(), 'ne-tokenizer-'));
    expect(await codeOf(loadTokenizer(empty))).toBe('E_NOT_FOUND');
    await rm(empty, { recursive: true });
    await writeFile(join(folder, 'latin1.txt'), Buffer.from([0x61, 0xe9, 0x0a]));
    expect(await codeOf(loadTokenizer(join(folder, 'latin1.txt')))).toBe('E_TOKENIZER');
    await writeFile(join(folder, 'large.json'), Buffer.alloc(33 * 2 ** 20, ' '));
    expect(await codeOf(loadTokenizer(join(folder, 'large.json')))).toBe('E_LIMIT');
  });
});

describe('a tokenizer.json that is broken', () => {
  it.each([
    ['truncated', JSON.stringify(testTokenizerJson()).slice(0, -40), 'E_TOKENIZER'],
    ['not JSON', 'hello', 'E_TOKENIZER'],
    ['no object', '[1, 2]', 'E_TOKENIZER'],
    ['100,000 levels deep', '['.repeat(100_000), 'E_LIMIT'],
  ])('is refused when %s', async (_name, text, code) => {
    expect(await codeOf(loadTokenizer({ tokenizerJson: text }))).toBe(code);
  });

  it.each<[string, (json: TestTokenizerJson) => void, string]>([
    ['an empty vocabulary', (json) => (json.model.vocab = {}), 'E_TOKENIZER'],
    ['duplicate ids', (json) => (json.model.vocab['twin'] = 5), 'E_TOKENIZER'],
    ['a negative id', (json) => (json.model.vocab['x'] = -1), 'E_TOKENIZER'],
    ['an id of 2^31', (json) => (json.model.vocab['x'] = 2 ** 31), 'E_TOKENIZER'],
    ['a fractional id', (json) => (json.model.vocab['x'] = 1.5), 'E_TOKENIZER'],
    ['a gap in the ids', (json) => (json.model.vocab['x'] = 1000), 'loaded'],
    ['no unknown token', (json) => (json.model['unk_token'] = '<unk>'), 'E_TOKENIZER'],
    ['no vocabulary', (json) => Reflect.deleteProperty(json.model, 'vocab'), 'E_TOKENIZER'],
    ['a word limit of 0', (json) => (json.model['max_input_chars_per_word'] = 0), 'E_TOKENIZER'],
    ['a BPE model', (json) => (json.model['type'] = 'BPE'), 'E_UNSUPPORTED'],
    ['an unknown normaliser', (json) => (json.normalizer = { type: 'Precompiled' }), 'E_UNSUPPORTED'],
    [
      'an expression as normaliser',
      (json) => (json.normalizer = { type: 'Replace', pattern: { Regex: '(a+)+' }, content: '' }),
      'E_UNSUPPORTED',
    ],
    ['an unknown pre-tokenizer', (json) => (json.pre_tokenizer = { type: 'ByteLevel' }), 'E_UNSUPPORTED'],
    ['an unknown post-processor', (json) => (json.post_processor = { type: 'RobertaProcessing' }), 'E_UNSUPPORTED'],
    [
      'a separator under another id',
      (json) => (json.post_processor = { type: 'BertProcessing', sep: ['[SEP]', 99], cls: ['[CLS]', 2] }),
      'E_TOKENIZER',
    ],
    ['an empty added token', (json) => json.added_tokens.push({ id: 100, content: '' }), 'E_TOKENIZER'],
    ['an added token under a taken id', (json) => json.added_tokens.push({ id: 5, content: '<x>' }), 'E_TOKENIZER'],
    [
      'an added token with two ids',
      (json) => json.added_tokens.push({ id: 100, content: '<x>' }, { id: 101, content: '<x>' }),
      'E_TOKENIZER',
    ],
    ['an added token twice', (json) => json.added_tokens.push({ id: 100, content: '<x>' }, { id: 100, content: '<x>' }), 'loaded'],
    ['flags that are no booleans', (json) => json.added_tokens.push({ id: 100, content: '<x>', lstrip: 'yes' }), 'E_TOKENIZER'],
    ['a lone surrogate as token', (json) => (json.model.vocab['\ud800'] = 100), 'E_TOKENIZER'],
    ['no normaliser at all', (json) => (json.normalizer = null), 'loaded'],
  ])('with %s gives the error that is meant', async (_name, change, code) => {
    expect(await codeOf(loadChanged(change))).toBe(code);
  });

  it('is refused early when its vocabulary is too large', async () => {
    const long = 'x'.repeat(4000);
    const code = codeOf(loadChanged(({ model }) => Array.from({ length: 1100 }, (_, i) => (model.vocab[long + i] = 1000 + i))));
    expect(await code).toBe('E_LIMIT');
    const many = Array.from({ length: 1_000_001 }, (_, i): [string, number] => [i.toString(36), i]);
    expect(await codeOf(loadTokenizer({ vocab: many }))).toBe('E_LIMIT');
    expect(await codeOf(loadChanged(({ model }) => (model.vocab['x'.repeat(5000)] = 1000)))).toBe('E_LIMIT');
  });

  it('names the component that is not supported', async () => {
    await expect(loadChanged((json) => (json.normalizer = { type: 'Sequence', normalizers: [{ type: 'NFKC' }] }))).rejects.toThrow(
      /normalizers\[0\] "NFKC"/,
    );
  });
});

describe('names that JavaScript objects have', () => {
  it('are ordinary tokens', async () => {
    const names = ['__proto__', 'constructor', 'length'];
    const text = JSON.stringify(testTokenizerJson((json) => (json.model.vocab['length'] = 201))).replace(
      '"length":201',
      '"length":201,"constructor":202,"__proto__":203',
    );
    const tokenizer = await loadTokenizer({ tokenizerJson: text });
    expect(names.map((name) => tokenizer.tokenToId(name))).toEqual([203, 202, 201]);
    expect(tokenizer.tokenToId('toString')).toBeUndefined();
    expect(tokenizer.encode('length constructor', { addSpecialTokens: false }).tokens).toEqual(['length', 'constructor']);
  });
});

describe('a template', () => {
  const template = (json: TestTokenizerJson) =>
    (json.post_processor = {
      type: 'TemplateProcessing',
      single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '[SEP]', type_id: 1 } }],
      pair: [
        { SpecialToken: { id: '[CLS]', type_id: 2 } },
        { Sequence: { id: 'B', type_id: 1 } },
        { SpecialToken: { id: '[SEP]', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
      ],
      special_tokens: {
        '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
        '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
      },
    });

  it('orders texts and special tokens as it says', async () => {
    const tokenizer = await loadChanged(template);
    expect(tokenizer.encode('a').tokens).toEqual(['a', '[SEP]']);
    const pair = tokenizer.encode('a', { pair: 'b' });
    expect(pair.tokens).toEqual(['[CLS]', 'b', '[SEP]', 'a']);
    expect([...pair.typeIds]).toEqual([2, 1, 0, 0]);
    expect(pair.sequenceIds).toEqual([null, 1, null, 0]);
  });

  it.each<[string, (template: ReturnType<typeof parsed>) => void]>([
    ['names a special token that is not defined', (value) => value.single.push({ SpecialToken: { id: '[X]', type_id: 0 } })],
    ['uses a text twice', (value) => value.single.push({ Sequence: { id: 'A', type_id: 0 } })],
    ['leaves a text out', (value) => value.pair.pop()],
    ['has a third text', (value) => value.pair.push({ Sequence: { id: 'C', type_id: 0 } })],
    ['has a type that is no small integer', (value) => value.single.push({ SpecialToken: { id: '[SEP]', type_id: -1 } })],
  ])('is refused when it %s', async (_name, change) => {
    const code = codeOf(
      loadChanged((json) => {
        template(json);
        change(parsed(json));
      }),
    );
    expect(await code).toBe('E_TOKENIZER');
  });

  const parsed = (json: TestTokenizerJson) => json.post_processor as { single: unknown[]; pair: unknown[] };
});

describe('a vocab.txt that is broken', () => {
  it.each([
    ['empty', ''],
    ['without special tokens', 'a\nb\n'],
    ['with one token twice', `${TEST_TOKENS.join('\n')}\nthe\n`],
  ])('is refused when %s', async (_name, vocab) => {
    expect(await codeOf(loadTokenizer({ vocab }))).toBe('E_TOKENIZER');
  });

  it('may have gaps and may be given as pairs', async () => {
    expect((await loadTokenizer({ vocab: `${TEST_TOKENS.join('\n')}\n\nlast\n` })).tokenToId('last')).toBe(TEST_TOKENS.length + 1);
    const pairs = TEST_TOKENS.map((token, id): [string, number] => [token, id + 10]);
    expect([...(await loadTokenizer({ vocab: pairs })).encode('the').ids]).toEqual([12, 15, 13]);
  });
});
