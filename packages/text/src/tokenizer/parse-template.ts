import { EngineError } from '@neural-engine/core';
import { arrayAt, integerAt, type JsonObject, objectAt, stringAt } from './json';
import { PLAIN_TEMPLATE, type Template, type TemplatePiece } from './template';
import { quoted, tokenizerError, type Vocabulary } from './vocabulary';

const MAX_PIECES = 256;

/** The `post_processor` of a tokenizer.json. Every special token must be in the vocabulary under the id it claims. */
export function parseTemplate(value: unknown, vocabulary: Vocabulary): Template {
  if (value === null || value === undefined) return PLAIN_TEMPLATE;
  const node = objectAt(value, 'post_processor');
  const type = stringAt(node['type'], 'post_processor.type');
  if (type === 'TemplateProcessing') return parseTemplateProcessing(node, vocabulary);
  if (type === 'BertProcessing') return bertTemplate(tokenAndId(node, 'cls', vocabulary), tokenAndId(node, 'sep', vocabulary));
  const message = `post_processor "${type.slice(0, 60)}" is not supported (supported: BertProcessing, TemplateProcessing)`;
  throw new EngineError('E_UNSUPPORTED', 'text', message, { where: 'post_processor' });
}

/** `[CLS] A [SEP]` and `[CLS] A [SEP] B [SEP]`, the second text with its separator of type 1. */
export function bertTemplate(cls: number, sep: number): Template {
  const special = (id: number, typeId: number): TemplatePiece => ({ kind: 'special', ids: [id], typeId });
  const single: TemplatePiece[] = [special(cls, 0), { kind: 'sequence', index: 0, typeId: 0 }, special(sep, 0)];
  return { single, pair: [...single, { kind: 'sequence', index: 1, typeId: 1 }, special(sep, 1)] };
}

function tokenAndId(node: JsonObject, key: 'cls' | 'sep', vocabulary: Vocabulary): number {
  const where = `post_processor.${key}`;
  const [token, id] = arrayAt(node[key], where);
  return claimedId(stringAt(token, where), id, where, vocabulary);
}

/** The id a file claims for a token, which must be the vocabulary's. */
function claimedId(token: string, id: unknown, where: string, vocabulary: Vocabulary): number {
  const known = vocabulary.idOf(token, where);
  if (known !== id) throw tokenizerError(`${where}: ${quoted(token)} has id ${String(id)} here and ${known} in the vocabulary`, where);
  return known;
}

function parseTemplateProcessing(node: JsonObject, vocabulary: Vocabulary): Template {
  const specials = objectAt(node['special_tokens'], 'post_processor.special_tokens');
  const pieces = (key: 'single' | 'pair', sequences: readonly ('A' | 'B')[]): TemplatePiece[] => {
    const where = `post_processor.${key}`;
    const list = arrayAt(node[key], where);
    if (list.length > MAX_PIECES) throw tokenizerError(`${where}: ${list.length} pieces, at most ${MAX_PIECES} are sensible`, where);
    const parsed = list.map((piece, i) => parsePiece(objectAt(piece, `${where}[${i}]`), `${where}[${i}]`, specials, vocabulary));
    for (const [index, name] of sequences.entries()) {
      const uses = parsed.filter((piece) => piece.kind === 'sequence' && piece.index === index).length;
      if (uses !== 1) throw tokenizerError(`${where}: the text ${name} must stand in it once, it does ${uses} times`, where);
    }
    if (parsed.some((piece) => piece.kind === 'sequence' && piece.index >= sequences.length)) {
      throw tokenizerError(`${where}: it names a second text`, where);
    }
    return parsed;
  };
  return { single: pieces('single', ['A']), pair: pieces('pair', ['A', 'B']) };
}

function parsePiece(piece: JsonObject, where: string, specials: JsonObject, vocabulary: Vocabulary): TemplatePiece {
  if (piece['Sequence'] !== undefined) {
    const sequence = objectAt(piece['Sequence'], where);
    const name = stringAt(sequence['id'], `${where}.id`);
    if (name !== 'A' && name !== 'B') throw tokenizerError(`${where}: expected the text A or B, found ${quoted(name)}`, where);
    return { kind: 'sequence', index: name === 'A' ? 0 : 1, typeId: integerAt(sequence['type_id'], `${where}.type_id`, 0, 255) };
  }
  const special = objectAt(piece['SpecialToken'], where);
  const name = stringAt(special['id'], `${where}.id`);
  if (!Object.hasOwn(specials, name)) throw tokenizerError(`${where}: special token ${quoted(name)} is not defined`, where);
  const definition = objectAt(specials[name], `post_processor.special_tokens.${name}`);
  const ids = arrayAt(definition['ids'], `post_processor.special_tokens.${name}.ids`);
  const tokens = arrayAt(definition['tokens'], `post_processor.special_tokens.${name}.tokens`);
  if (ids.length !== tokens.length || ids.length > MAX_PIECES)
    throw tokenizerError(`special token ${name}: ${ids.length} ids for ${tokens.length} tokens`, where);
  return {
    kind: 'special',
    ids: ids.map((id, i) => claimedId(stringAt(tokens[i], where), id, where, vocabulary)),
    typeId: integerAt(special['type_id'], `${where}.type_id`, 0, 255),
  };
}
