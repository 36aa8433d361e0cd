import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { EngineError } from '@neural-engine/core';
import { datasetError, datasetLimit } from './errors';

/** One record of a text file may have so many characters. */
export const MAX_RECORD_UNITS = 4 * 2 ** 20;
/** A JSON document is held whole, so it is limited. */
const MAX_JSON_BYTES = 64 * 2 ** 20;
const MAX_JSON_NESTING = 100;

function ioError(path: string, cause: unknown): EngineError {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new EngineError('E_NOT_FOUND', 'evaluate', `${path} does not exist`, { where: path, cause });
  return new EngineError('E_IO', 'evaluate', `${path} cannot be read (${code ?? 'unknown reason'})`, { where: path, cause });
}

async function fileBytes(path: string): Promise<number> {
  const info = await stat(path).catch((cause: unknown) => {
    throw ioError(path, cause);
  });
  if (!info.isFile()) throw new EngineError('E_IO', 'evaluate', `${path} is not a regular file`, { where: path });
  return info.size;
}

/**
 * The text of a file in pieces, without a byte-order mark.
 * @throws {EngineError} E_NOT_FOUND, E_IO; E_DATASET the bytes are not UTF-8, with the line.
 */
export async function* textChunks(path: string): AsyncGenerator<string> {
  await fileBytes(path);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let line = 1;
  const decode = (bytes?: Uint8Array): string => {
    try {
      return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true });
    } catch (cause) {
      throw datasetError('not valid UTF-8', `${path} line ${line} or later`, cause);
    }
  };
  const stream = createReadStream(path, { highWaterMark: 1 << 16 });
  try {
    for await (const bytes of stream) {
      const text = decode(bytes as Uint8Array);
      yield text;
      for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) line++;
    }
  } catch (cause) {
    throw EngineError.isInstance(cause) ? cause : ioError(path, cause);
  } finally {
    stream.destroy();
  }
  const rest = decode();
  if (rest !== '') yield rest;
}

/** A line of text and its number from 1. */
export interface Line {
  readonly line: number;
  readonly text: string;
}

/**
 * The lines of a file, ended by LF, CRLF or CR, read as they are needed.
 * @throws {EngineError} as {@link textChunks}; E_LIMIT a line is too long.
 */
export async function* linesOf(path: string): AsyncGenerator<Line> {
  let rest = '';
  let line = 1;
  for await (const chunk of textChunks(path)) {
    const text = rest + chunk;
    // A CR at the end of a piece may be the first half of a CRLF: it waits for the next piece.
    const usable = text.endsWith('\r') ? text.length - 1 : text.length;
    let start = 0;
    for (const match of text.slice(0, usable).matchAll(/\r\n|\n|\r/g)) {
      yield { line: line++, text: text.slice(start, match.index) };
      start = match.index + match[0].length;
    }
    rest = text.slice(start);
    if (rest.length > MAX_RECORD_UNITS) throw datasetLimit(`longer than ${MAX_RECORD_UNITS} characters`, `${path} line ${line}`);
  }
  if (rest.endsWith('\r')) rest = rest.slice(0, -1);
  if (rest !== '') yield { line, text: rest };
}

/**
 * A whole JSON document.
 * @throws {EngineError} E_LIMIT too large or too deep; E_DATASET not JSON, with the line where one can be told.
 */
export async function readJsonFile(path: string): Promise<unknown> {
  const bytes = await fileBytes(path);
  if (bytes > MAX_JSON_BYTES)
    throw datasetLimit(`${bytes} bytes, a JSON document may have ${MAX_JSON_BYTES}; larger data sets fit in jsonl`, path);
  let text = '';
  for await (const chunk of textChunks(path)) text += chunk;
  return parseJsonText(text, path);
}

/** Parses one JSON value after a scan of its nesting. */
export function parseJsonText(text: string, where: string): unknown {
  if (text.trim() === '') throw datasetError('empty', where);
  const depth = nestingOf(text);
  if (depth > MAX_JSON_NESTING) throw datasetLimit(`nested ${depth} deep, the limit is ${MAX_JSON_NESTING}`, where);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : '';
    const position = /at position (\d+)/.exec(message);
    const line = position ? text.slice(0, Number(position[1])).split('\n').length : undefined;
    throw datasetError(
      `not valid JSON (${message.slice(0, 120)})`,
      line === undefined || !text.includes('\n') ? where : `${where} line ${line}`,
      cause,
    );
  }
}

function nestingOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (inString) {
      if (unit === 0x5c) i++;
      else if (unit === 0x22) inString = false;
    } else if (unit === 0x22) inString = true;
    else if (unit === 0x7b || unit === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (unit === 0x7d || unit === 0x5d) depth--;
  }
  return deepest;
}
