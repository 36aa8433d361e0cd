import { EngineError } from '@neural-engine/core';

/** The largest WordPiece vocabulary in use has half a million tokens of seven characters. */
const MAX_ENTRIES = 1_000_000;
const MAX_UNITS = 4 * 2 ** 20;
const MAX_TOKEN_UNITS = 4096;
const SURROGATE = /[\ud800-\udfff]/;
const LONE_SURROGATE = /\p{Cs}/u;

/** Tokens and their ids, both ways. Ids may have gaps; a token has one id and an id one token. */
export class Vocabulary {
  readonly #ids = new Map<string, number>();
  readonly #tokens = new Map<number, string>();
  #size = 0;
  #units = 0;

  /**
   * Adds one token.
   * @throws {EngineError} E_TOKENIZER the id is no integer in [0, 2^31), or token or id are taken by another; E_LIMIT too many or too long.
   */
  add(token: string, id: unknown, where = 'vocabulary'): void {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= 2 ** 31) {
      throw tokenizerError(`${where}: token ${quoted(token)} has id ${String(id)}, expected an integer from 0 to 2147483647`, where);
    }
    if (token.length > MAX_TOKEN_UNITS)
      throw limitError(`${where}: token ${quoted(token)} is longer than ${MAX_TOKEN_UNITS} characters`, where);
    if (SURROGATE.test(token) && LONE_SURROGATE.test(token))
      throw tokenizerError(`${where}: token ${quoted(token)} is not valid Unicode`, where);
    const knownId = this.#ids.get(token);
    if (knownId === id) return;
    if (knownId !== undefined) throw tokenizerError(`${where}: token ${quoted(token)} has two ids, ${knownId} and ${id}`, where);
    const knownToken = this.token(id);
    if (knownToken !== undefined)
      throw tokenizerError(`${where}: id ${id} is given to both ${quoted(knownToken)} and ${quoted(token)}`, where);
    if (this.#ids.size >= MAX_ENTRIES) throw limitError(`${where}: more than ${MAX_ENTRIES} tokens`, where);
    this.#units += token.length;
    if (this.#units > MAX_UNITS) throw limitError(`${where}: the tokens together have more than ${MAX_UNITS} characters`, where);
    this.#ids.set(token, id);
    this.#tokens.set(id, token);
    this.#size = Math.max(this.#size, id + 1);
  }

  /** One more than the highest id: the rows an embedding table must have. */
  get size(): number {
    return this.#size;
  }

  /** Number of tokens, without gaps. */
  get count(): number {
    return this.#ids.size;
  }

  get(token: string): number | undefined {
    return this.#ids.get(token);
  }

  token(id: number): string | undefined {
    return this.#tokens.get(id);
  }

  entries(): IterableIterator<[string, number]> {
    return this.#ids.entries();
  }

  /** @throws {EngineError} E_TOKENIZER the token is absent. */
  idOf(token: string, role: string): number {
    const id = this.#ids.get(token);
    if (id === undefined) throw tokenizerError(`${role} ${quoted(token)} is not in the vocabulary`, 'vocabulary');
    return id;
  }
}

/** A token as messages show it. */
export const quoted = (token: string): string => JSON.stringify(token.slice(0, 40));

export const tokenizerError = (message: string, where?: string, cause?: unknown): EngineError =>
  new EngineError('E_TOKENIZER', 'text', message, { ...(where === undefined ? {} : { where }), cause });

export const limitError = (message: string, where?: string): EngineError =>
  new EngineError('E_LIMIT', 'text', message, where === undefined ? {} : { where });

/** Reads `vocab.txt`: one token a line, the line's number from zero is its id; an empty line leaves a gap. */
export function parseVocabText(text: string): Vocabulary {
  const vocabulary = new Vocabulary();
  let line = 0;
  for (let start = 0; start < text.length; line++) {
    let end = text.indexOf('\n', start);
    if (end < 0) end = text.length;
    const token = text.slice(start, text[end - 1] === '\r' && end > start ? end - 1 : end);
    if (token !== '') vocabulary.add(token, line, `vocab.txt line ${line + 1}`);
    start = end + 1;
  }
  if (vocabulary.count === 0) throw tokenizerError('vocab.txt holds no token', 'vocab.txt');
  return vocabulary;
}
