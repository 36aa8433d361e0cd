import { EngineError } from '@neural-engine/core';
import type { AddedToken } from './added-tokens';
import { arrayAt, booleanAt, integerAt, type JsonObject, objectAt, stringAt } from './json';
import { bertDefaults, parseNormalizer, parsePreTokenizer } from './parse-normalizer';
import { bertTemplate, parseTemplate } from './parse-template';
import { Tokenizer } from './tokenizer';
import { tokenizerError, Vocabulary } from './vocabulary';
import { WordPiece } from './wordpiece';

/** Hugging Face writes this for "no limit". */
const ABSURD_LENGTH = 1e9;

/**
 * Builds a tokenizer from the content of a tokenizer.json.
 *
 * Truncation and padding settings in the file are not applied: callers say how long their inputs may be.
 * @param config the content of tokenizer_config.json, where there is one.
 * @throws {EngineError} E_TOKENIZER the content contradicts itself; E_UNSUPPORTED a component this engine lacks, by name.
 */
export function parseTokenizerJson(value: unknown, config?: unknown): Tokenizer {
  const root = objectAt(value, 'tokenizer.json');
  const model = objectAt(root['model'], 'model');
  // Files of early versions have no type: WordPiece is then recognised by its own setting.
  const type = model['type'] ?? ('continuing_subword_prefix' in model && !('merges' in model) ? 'WordPiece' : undefined);
  if (type !== 'WordPiece') {
    const message = `tokenizer model "${String(type).slice(0, 60)}" is not supported (supported: WordPiece)`;
    throw new EngineError('E_UNSUPPORTED', 'text', message, { where: 'model.type' });
  }
  const normalizer = parseNormalizer(root['normalizer']);
  const classifier = parsePreTokenizer(root['pre_tokenizer']);
  const vocabulary = new Vocabulary();
  for (const [token, id] of Object.entries(objectAt(model['vocab'], 'model.vocab'))) vocabulary.add(token, id, 'model.vocab');
  if (vocabulary.count === 0) throw tokenizerError('model.vocab is empty', 'model.vocab');
  const wordPiece = new WordPiece(vocabulary, {
    unknownToken: stringAt(model['unk_token'] ?? '[UNK]', 'model.unk_token'),
    continuingPrefix: stringAt(model['continuing_subword_prefix'] ?? '##', 'model.continuing_subword_prefix'),
    maxWordChars: integerAt(model['max_input_chars_per_word'], 'model.max_input_chars_per_word', 1, 10_000, 100),
  });
  const addedTokens = arrayAt(root['added_tokens'] ?? [], 'added_tokens').map((entry, i) =>
    addedToken(objectAt(entry, `added_tokens[${i}]`), `added_tokens[${i}]`),
  );
  // After the model, which must not cut words into added tokens.
  for (const token of addedTokens) vocabulary.add(token.content, token.id, 'added_tokens');
  const template = parseTemplate(root['post_processor'], vocabulary);
  const modelMaxLength = modelLength(config);
  return new Tokenizer({
    vocabulary,
    addedTokens,
    normalizer,
    classifier,
    model: wordPiece,
    template,
    padId: vocabulary.get(padToken(root, config)) ?? 0,
    ...(modelMaxLength === undefined ? {} : { modelMaxLength }),
  });
}

function addedToken(entry: JsonObject, where: string): AddedToken {
  const content = stringAt(entry['content'], `${where}.content`);
  if (content === '') throw tokenizerError(`${where}: the token is empty`, where);
  const special = booleanAt(entry['special'], `${where}.special`, false);
  return {
    id: integerAt(entry['id'], `${where}.id`, 0, 2 ** 31 - 1),
    content,
    special,
    singleWord: booleanAt(entry['single_word'], `${where}.single_word`, false),
    lstrip: booleanAt(entry['lstrip'], `${where}.lstrip`, false),
    rstrip: booleanAt(entry['rstrip'], `${where}.rstrip`, false),
    normalized: booleanAt(entry['normalized'], `${where}.normalized`, !special),
  };
}

function padToken(root: JsonObject, config: unknown): string {
  const padding = root['padding'];
  if (typeof padding === 'object' && padding !== null)
    return stringAt((padding as JsonObject)['pad_token'] ?? '[PAD]', 'padding.pad_token');
  return tokenName(config, 'pad_token', '[PAD]');
}

/** A token's spelling in tokenizer_config.json, which is a string or an object with the string as `content`. */
function tokenName(config: unknown, key: string, fallback: string): string {
  if (config === undefined) return fallback;
  const value = objectAt(config, 'tokenizer_config.json')[key] ?? fallback;
  return stringAt(typeof value === 'object' ? objectAt(value, key)['content'] : value, `tokenizer_config.json ${key}`);
}

function modelLength(config: unknown): number | undefined {
  if (config === undefined) return undefined;
  const length = objectAt(config, 'tokenizer_config.json')['model_max_length'];
  return typeof length === 'number' && Number.isInteger(length) && length > 0 && length < ABSURD_LENGTH ? length : undefined;
}

/**
 * Builds BERT's tokenizer around a vocabulary, as a vocab.txt and its tokenizer_config.json mean it.
 * @throws {EngineError} E_TOKENIZER a special token is missing.
 */
export function bertTokenizer(vocabulary: Vocabulary, config?: unknown): Tokenizer {
  const settings: JsonObject = config === undefined ? {} : objectAt(config, 'tokenizer_config.json');
  const lowercase = booleanAt(settings['do_lower_case'], 'do_lower_case', true);
  const token = (key: string, fallback: string) => tokenName(config, key, fallback);
  const unknownToken = token('unk_token', '[UNK]');
  const names = [
    token('pad_token', '[PAD]'),
    unknownToken,
    token('cls_token', '[CLS]'),
    token('sep_token', '[SEP]'),
    token('mask_token', '[MASK]'),
  ];
  const addedTokens = names.flatMap((content): AddedToken[] => {
    const id = vocabulary.get(content);
    return id === undefined ? [] : [{ id, content, special: true, singleWord: false, lstrip: false, rstrip: false, normalized: false }];
  });
  const modelMaxLength = modelLength(config);
  return new Tokenizer({
    vocabulary,
    addedTokens,
    ...bertDefaults({
      lowercase,
      stripAccents: booleanAt(settings['strip_accents'], 'strip_accents', lowercase),
      handleChineseChars: booleanAt(settings['tokenize_chinese_chars'], 'tokenize_chinese_chars', true),
    }),
    model: new WordPiece(vocabulary, { unknownToken, continuingPrefix: '##', maxWordChars: 100 }),
    template: bertTemplate(vocabulary.idOf(names[2]!, 'the classification token'), vocabulary.idOf(names[3]!, 'the separator token')),
    padId: vocabulary.get(names[0]!) ?? 0,
    ...(modelMaxLength === undefined ? {} : { modelMaxLength }),
  });
}
