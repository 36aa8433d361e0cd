import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '@neural-engine/core';
import { parseJson } from './json';
import { bertTokenizer, parseTokenizerJson } from './parse-tokenizer';
import type { Tokenizer } from './tokenizer';
import { limitError, parseVocabText, tokenizerError, Vocabulary } from './vocabulary';

/** Where a tokenizer comes from: a file, a folder, or content that is already read. */
export type TokenizerSource =
  | string
  | { readonly tokenizerJson: unknown; readonly config?: unknown }
  | { readonly vocab: string | Iterable<readonly [string, number]>; readonly config?: unknown };

/** The largest file read; real WordPiece tokenizers have up to 3 MB. */
const MAX_FILE_BYTES = 32 * 2 ** 20;

/**
 * Loads a WordPiece tokenizer.
 *
 * A folder is searched for `tokenizer.json`, then `vocab.txt`; `tokenizer_config.json` beside it is honoured. Content may be
 * given directly: a tokenizer.json as text or object, a vocab.txt as text, or pairs of token and id.
 * @throws {EngineError} E_NOT_FOUND, E_IO; E_TOKENIZER the content is invalid; E_UNSUPPORTED a component is not known; E_LIMIT too large or too deep.
 */
export async function loadTokenizer(source: TokenizerSource): Promise<Tokenizer> {
  if (typeof source === 'string') return loadPath(source);
  if ('tokenizerJson' in source) {
    const { tokenizerJson, config } = source;
    return parseTokenizerJson(typeof tokenizerJson === 'string' ? parseText(tokenizerJson, 'tokenizer.json') : tokenizerJson, config);
  }
  if ('vocab' in source) {
    if (typeof source.vocab === 'string') return bertTokenizer(parseVocabText(source.vocab), source.config);
    const vocabulary = new Vocabulary();
    for (const [token, id] of source.vocab) vocabulary.add(token, id);
    return bertTokenizer(vocabulary, source.config);
  }
  throw new EngineError('E_USAGE', 'text', 'a tokenizer is loaded from a path, { tokenizerJson } or { vocab }');
}

async function loadPath(path: string): Promise<Tokenizer> {
  const info = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')
      throw new EngineError('E_NOT_FOUND', 'text', `tokenizer: ${path} does not exist`, { where: path });
    throw new EngineError('E_IO', 'text', `tokenizer: ${path} cannot be read (${cause.code})`, { where: path, cause });
  });
  if (!info.isDirectory()) return path.endsWith('.json') ? loadJson(path) : bertTokenizer(parseVocabText(await readText(path)));
  const configText = await readOptional(join(path, 'tokenizer_config.json'));
  const config = configText === undefined ? undefined : parseJson(configText, 'tokenizer_config.json');
  const json = await readOptional(join(path, 'tokenizer.json'));
  if (json !== undefined) return parseTokenizerJson(parseText(json, 'tokenizer.json'), config);
  const vocab = await readOptional(join(path, 'vocab.txt'));
  if (vocab !== undefined) return bertTokenizer(parseVocabText(vocab), config);
  throw new EngineError('E_NOT_FOUND', 'text', `tokenizer: ${path} holds neither tokenizer.json nor vocab.txt`, { where: path });
}

const loadJson = async (path: string): Promise<Tokenizer> => parseTokenizerJson(parseText(await readText(path), path));

function parseText(text: string, where: string): unknown {
  if (text.length > MAX_FILE_BYTES) throw limitError(`${where}: ${text.length} characters, the limit is ${MAX_FILE_BYTES}`, where);
  return parseJson(text, where);
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readText(path);
  } catch (error) {
    if (EngineError.isInstance(error) && error.code === 'E_NOT_FOUND') return undefined;
    throw error;
  }
}

/** Reads a regular file of UTF-8 text, at most {@link MAX_FILE_BYTES} long. */
async function readText(path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    const info = await stat(path);
    if (!info.isFile()) throw new EngineError('E_IO', 'text', `tokenizer: ${path} is not a regular file`, { where: path });
    if (info.size > MAX_FILE_BYTES) throw limitError(`tokenizer: ${path} has ${info.size} bytes, the limit is ${MAX_FILE_BYTES}`, path);
    bytes = await readFile(path);
  } catch (cause) {
    if (EngineError.isInstance(cause)) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new EngineError('E_NOT_FOUND', 'text', `tokenizer: ${path} does not exist`, { where: path, cause });
    throw new EngineError('E_IO', 'text', `tokenizer: ${path} cannot be read (${code ?? 'unknown reason'})`, { where: path, cause });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw tokenizerError(`tokenizer: ${path} is not valid UTF-8`, path, cause);
  }
}
