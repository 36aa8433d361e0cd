import { EngineError } from '@neural-engine/core';
import { CharClass, CharClassifier, isPunctuation, isWhitespace } from './characters';
import { arrayAt, booleanAt, isObject, objectAt, stringAt } from './json';
import { bertCharMap, type CharMap, lowerCase, Normalizer } from './normalizer';

const unsupported = (role: string, type: string, supported: string): EngineError =>
  new EngineError('E_UNSUPPORTED', 'text', `${role} "${type.slice(0, 60)}" is not supported (supported: ${supported})`, { where: role });

interface Step {
  readonly map: CharMap;
  readonly lowercase: boolean;
}

/** The `normalizer` of a tokenizer.json. */
export function parseNormalizer(value: unknown): Normalizer {
  const steps = value === null || value === undefined ? [] : normalizerSteps(value, 'normalizer');
  return new Normalizer(
    (char) => {
      let text = char;
      for (const { map } of steps) text = Array.from(text, map).join('');
      return text;
    },
    steps.some((step) => step.lowercase),
  );
}

function normalizerSteps(value: unknown, where: string): Step[] {
  const node = objectAt(value, where);
  const type = stringAt(node['type'], `${where}.type`);
  switch (type) {
    case 'BertNormalizer': {
      const lowercase = booleanAt(node['lowercase'], `${where}.lowercase`, true);
      const map = bertCharMap({
        cleanText: booleanAt(node['clean_text'], `${where}.clean_text`, true),
        handleChineseChars: booleanAt(node['handle_chinese_chars'], `${where}.handle_chinese_chars`, true),
        // Not said means: as the letters' case.
        stripAccents: booleanAt(node['strip_accents'], `${where}.strip_accents`, lowercase),
        lowercase,
      });
      return [{ map, lowercase }];
    }
    case 'Lowercase':
      return [{ map: lowerCase, lowercase: true }];
    case 'Sequence':
      return arrayAt(node['normalizers'], `${where}.normalizers`).flatMap((step, i) => normalizerSteps(step, `${where}.normalizers[${i}]`));
    default:
      throw unsupported(where, type, 'BertNormalizer, Lowercase, Sequence');
  }
}

const bertClass = (char: string): CharClass =>
  isWhitespace(char) ? CharClass.space : isPunctuation(char) ? CharClass.isolated : CharClass.word;
const spaceClass = (char: string): CharClass => (isWhitespace(char) ? CharClass.space : CharClass.word);

/** The `pre_tokenizer` of a tokenizer.json: where words begin and end. */
export function parsePreTokenizer(value: unknown): CharClassifier {
  if (value === null || value === undefined) return new CharClassifier(() => CharClass.word);
  const node = objectAt(value, 'pre_tokenizer');
  const type = stringAt(node['type'], 'pre_tokenizer.type');
  if (type === 'BertPreTokenizer') return new CharClassifier(bertClass);
  if (type === 'WhitespaceSplit') return new CharClassifier(spaceClass);
  if (type === 'Sequence') {
    const steps = arrayAt(node['pretokenizers'], 'pre_tokenizer.pretokenizers');
    const [only] = steps;
    if (steps.length === 1 && !(isObject(only) && only['type'] === 'Sequence')) return parsePreTokenizer(only);
  }
  throw unsupported('pre_tokenizer', type, 'BertPreTokenizer, WhitespaceSplit');
}

/** What a vocab.txt stands for: BERT's own normaliser and pre-tokenizer. */
export function bertDefaults(options: { lowercase: boolean; stripAccents: boolean; handleChineseChars: boolean }): {
  normalizer: Normalizer;
  classifier: CharClassifier;
} {
  return {
    normalizer: new Normalizer(bertCharMap({ cleanText: true, ...options }), options.lowercase),
    classifier: new CharClassifier(bertClass),
  };
}
