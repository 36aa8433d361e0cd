import { loadTokenizer } from './tokenizer/load-tokenizer';
import type { Tokenizer } from './tokenizer/tokenizer';

/** For tests: a small vocabulary; the position is the id. */
export const TEST_TOKENS = [
  ...['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'],
  ...[
    'the',
    'bridge',
    'was',
    'built',
    'in',
    'who',
    'play',
    '##ing',
    '##ed',
    'un',
    '##known',
    '.',
    ',',
    '?',
    '!',
    '中',
    '1',
    '##9',
    'cafe',
    'e',
  ],
  ...['a', 'b', 'c', 'd', '##a', '##b', '##c', '##d', '😀', '^', '$'],
];

/** Loosely typed, since tests break it. */
export type TestTokenizerJson = {
  added_tokens: unknown[];
  normalizer: unknown;
  pre_tokenizer: unknown;
  post_processor: unknown;
  padding: unknown;
  model: { [key: string]: unknown; vocab: Record<string, unknown> };
};

/** For tests: the content of a tokenizer.json, with `change` applied. */
export function testTokenizerJson(change: (json: TestTokenizerJson) => void = () => undefined): TestTokenizerJson {
  const special = (content: string) => ({
    id: TEST_TOKENS.indexOf(content),
    content,
    special: true,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  });
  const json: TestTokenizerJson = {
    padding: null,
    added_tokens: ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'].map(special),
    normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(TEST_TOKENS.map((token, id) => [token, id])),
    },
  };
  change(json);
  return json;
}

/** For tests: a tokenizer over {@link TEST_TOKENS}. */
export const testTokenizer = (): Promise<Tokenizer> => loadTokenizer({ tokenizerJson: testTokenizerJson() });
