import { describe, expect, it } from 'vitest';
import { testTokenizer, testTokenizerJson } from '../test-tokenizer';
import { loadTokenizer } from './load-tokenizer';

const tokenizer = await testTokenizer();
const tokensOf = (text: string) => tokenizer.encode(text, { addSpecialTokens: false }).tokens;

describe('encode', () => {
  it('cuts words into the longest pieces and surrounds them with special tokens', () => {
    const encoding = tokenizer.encode('Playing, unknown bridge!');
    expect(encoding.tokens).toEqual(['[CLS]', 'play', '##ing', ',', 'un', '##known', 'bridge', '!', '[SEP]']);
    expect(encoding.offsets).toEqual([
      [0, 0],
      [0, 4],
      [4, 7],
      [7, 8],
      [9, 11],
      [11, 16],
      [17, 23],
      [23, 24],
      [0, 0],
    ]);
    expect(encoding.wordIds).toEqual([null, 0, 0, 1, 2, 2, 3, 4, null]);
    expect([...encoding.attentionMask]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1]);
  });

  it('gives pairs their types and sequences', () => {
    const encoding = tokenizer.encode('who', { pair: 'the bridge' });
    expect(encoding.tokens).toEqual(['[CLS]', 'who', '[SEP]', 'the', 'bridge', '[SEP]']);
    expect([...encoding.typeIds]).toEqual([0, 0, 0, 1, 1, 1]);
    expect(encoding.sequenceIds).toEqual([null, 0, null, 1, 1, null]);
  });

  it('counts offsets in UTF-16 units', () => {
    const text = '😀 😀中café';
    const encoding = tokenizer.encode(text, { addSpecialTokens: false });
    expect(encoding.tokens).toEqual(['😀', '😀', '中', 'cafe']);
    expect(encoding.offsets.map(([start, end]) => text.slice(start, end))).toEqual(['😀', '😀', '中', 'café']);
  });

  it('strips accents however they are written', () => {
    expect(tokensOf('Cafe\u0301 CAFÉ')).toEqual(['cafe', 'cafe']);
  });

  it('makes one unknown token of a word that it cannot cut, and of one that is too long', () => {
    expect(tokenizer.encode('playx', { addSpecialTokens: false }).offsets).toEqual([[0, 5]]);
    expect(tokensOf('a'.repeat(100)).length).toBe(100);
    expect(tokensOf('a'.repeat(101))).toEqual(['[UNK]']);
  });

  it('finds special tokens in the text as they are', () => {
    expect(tokensOf('the [MASK] bridge [mask]')).toEqual(['the', '[MASK]', 'bridge', '[UNK]', '[UNK]', '[UNK]']);
  });

  it('cuts the longer text first, and each in turn when both are equally long', () => {
    const lengths = (text: string, pair: string, maxLength: number) => {
      const { sequences } = tokenizer.encode(text, { pair, maxLength });
      return [0, 1].map((sequence) => sequences.filter((value) => value === sequence).length);
    };
    expect(lengths('a a a a a a', 'b b', 9)).toEqual([4, 2]);
    expect(lengths('a a', 'b b b b b b', 9)).toEqual([2, 4]);
    expect(lengths('a a a a', 'b b b b b', 8)).toEqual([2, 3]);
    expect(lengths('a', 'b', 50)).toEqual([1, 1]);
    expect(lengths('a a', 'b b', 3)).toEqual([0, 0]);
  });

  it('pads at the end', () => {
    const padded = tokenizer.encode('who').padTo(5, tokenizer.padId);
    expect([...padded.ids]).toEqual([2, 10, 3, 0, 0]);
    expect([...padded.attentionMask]).toEqual([1, 1, 1, 0, 0]);
    expect(padded.sequenceIds).toEqual([null, 0, null, null, null]);
    expect(padded.padTo(3, 0)).toBe(padded);
  });

  it('refuses lengths that leave no place, and texts that are none', () => {
    for (const maxLength of [0, -1, 1, 1.5, Number.NaN]) {
      expect(() => tokenizer.encode('the', { maxLength })).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
    }
    expect(tokenizer.encode('the', { maxLength: 2 }).tokens).toEqual(['[CLS]', '[SEP]']);
    expect(() => tokenizer.encode(undefined as unknown as string)).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
    expect(() => tokenizer.encode('a'.repeat(2 ** 24 + 1))).toThrow(expect.objectContaining({ code: 'E_LIMIT' }));
  });
});

describe('encodeWindows', () => {
  const context = 'a b c d a b c d a b';

  it('covers the context with overlapping windows, the question whole in each', () => {
    const windows = tokenizer.encodeWindows('who built', context, { maxLength: 9, stride: 2 });
    expect(windows.map(({ tokens }) => tokens.join(' '))).toEqual([
      '[CLS] who built [SEP] a b c d [SEP]',
      '[CLS] who built [SEP] c d a b [SEP]',
      '[CLS] who built [SEP] a b c d [SEP]',
      '[CLS] who built [SEP] c d a b [SEP]',
    ]);
    expect(windows.map(({ starts, sequences }) => starts[sequences.indexOf(1)])).toEqual([0, 4, 8, 12]);
  });

  it('gives one window where all fits, also without any context', () => {
    expect(tokenizer.encodeWindows('who', context, { maxLength: 14, stride: 4 }).length).toBe(1);
    expect(tokenizer.encodeWindows('who', context, { maxLength: 13, stride: 4 }).length).toBe(2);
    expect(tokenizer.encodeWindows('who', '', { maxLength: 14, stride: 4 }).map(({ length }) => length)).toEqual([4]);
  });

  it('overlaps less where a long question leaves little room', () => {
    const windows = tokenizer.encodeWindows('a a a a', context, { maxLength: 9, stride: 5 });
    expect(windows.map(({ sequences }) => sequences.filter((value) => value === 1).length)).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 2]);
  });

  it('refuses what cannot work and never loops', () => {
    const code = (question: string, maxLength: number, stride: number) => {
      try {
        tokenizer.encodeWindows(question, context, { maxLength, stride });
        return 'ok';
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(code('who', 0, 0)).toBe('E_USAGE');
    expect(code('who', -5, 0)).toBe('E_USAGE');
    expect(code('who', 2, 0)).toBe('E_USAGE');
    expect(code('who', 10, 7)).toBe('E_USAGE');
    expect(code('who', 10, -1)).toBe('E_USAGE');
    expect(code('who', 10, 6)).toBe('ok');
    expect(code('a a a a a a a', 10, 1)).toBe('E_REQUEST');
  });
});

describe('hostile text', () => {
  it.each([
    ['lone surrogates', '\ud800a\udc00b\ud83d', ['a', '##b']],
    ['nulls and controls', 'a\0b\u0001\u200bc', ['a', '##b', '##c']],
    ['only combining marks', '\u0301\u0323'.repeat(100), []],
    ['right-to-left text', 'שלום a', ['[UNK]', 'a']],
    ['replacement characters of invalid UTF-8', 'a\ufffdb', ['a', '##b']],
    ['every kind of space', 'a\u00a0b\u3000c\u2028d\ra', ['a', 'b', 'c', 'd', 'a']],
  ])('tokenizes %s', (_name, text, tokens) => {
    expect(tokensOf(text)).toEqual(tokens);
  });

  it.each([
    ['carets', (n: number) => '^'.repeat(n)],
    ['one endless word', (n: number) => 'a'.repeat(n)],
    ['combining marks', (n: number) => '\u0301'.repeat(n)],
    ['words just short enough to be cut', (n: number) => `${'ab'.repeat(49)} `.repeat(n / 99)],
    ['beginnings of special tokens', (n: number) => '[CLS'.repeat(n / 4)],
    ['accented letters', (n: number) => 'é'.repeat(n)],
  ])('takes time in proportion to its length: %s', (_name, make) => {
    const milliseconds = (text: string) => {
      let least = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 3; round++) {
        // Processor time: other programs may keep this one waiting.
        const begin = process.cpuUsage();
        // The tokens of the last text are kept, so no two rounds have the same.
        tokenizer.encode(`${text} ${round}`);
        const { user, system } = process.cpuUsage(begin);
        least = Math.min(least, (user + system) / 1000);
      }
      return least;
    };
    milliseconds(make(50_000)); // compiles
    // Eight times the text: linear is 8, quadratic 64.
    const small = milliseconds(make(50_000));
    const large = milliseconds(make(400_000));
    expect(large).toBeLessThan(Math.max(small, 8) * 24);
  });
});

describe('a tokenizer and its model', () => {
  it('do not go together where the embedding has too few rows', () => {
    expect(() => tokenizer.checkEmbedding(tokenizer.vocabSize)).not.toThrow();
    expect(() => tokenizer.checkEmbedding(tokenizer.vocabSize - 1)).toThrow(expect.objectContaining({ code: 'E_TOKENIZER' }));
  });

  it('finds added tokens of several words in the normalised text, whatever white space was between them', async () => {
    const json = testTokenizerJson(({ added_tokens }) => added_tokens.push({ id: 500, content: 'Old Mill' }));
    const { encode } = await loadTokenizer({ tokenizerJson: json }).then((own) => ({ encode: (text: string) => own.encode(text).tokens }));
    for (const space of [' ', '\t', '\n', '\r', '\u00a0'])
      expect(encode(`the OLD${space}mill.`)).toEqual(['[CLS]', 'the', 'Old Mill', '.', '[SEP]']);
  });

  it('count added tokens beyond the vocabulary', async () => {
    const json = testTokenizerJson(({ added_tokens }) => added_tokens.push({ id: 500, content: '<x>', special: true }));
    const extended = await loadTokenizer({ tokenizerJson: json });
    expect(extended.vocabSize).toBe(501);
    expect(extended.encode('a<x>b', { addSpecialTokens: false }).tokens).toEqual(['a', '<x>', 'b']);
  });
});
