import { EngineError } from '@neural-engine/core';
import { csvRows, type Row, tsvRows } from './delimited';
import { datasetError } from './errors';
import { linesOf, parseJsonText, readJsonFile } from './text-source';

/** One record: named values, and where it stands, as errors say it. */
export interface DataRecord {
  readonly where: string;
  readonly values: ReadonlyMap<string, unknown>;
}

export type RecordFormat = 'tsv' | 'csv' | 'json' | 'jsonl';

export interface RecordOptions {
  /** Default: by the file's extension. */
  readonly format?: RecordFormat;
  /** False for tables without a header: columns are then named `0`, `1`, … Default true. */
  readonly header?: boolean;
  /** Told of each record that is malformed, which is then left out; without it the first of them is thrown. */
  readonly onBadRecord?: (error: EngineError) => void;
}

const FORMATS: Record<string, RecordFormat> = { tsv: 'tsv', tab: 'tsv', csv: 'csv', json: 'json', jsonl: 'jsonl', ndjson: 'jsonl' };

/** The format that a path's extension stands for. */
export function formatOf(path: string): RecordFormat {
  const extension = /\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase() ?? '';
  const format = FORMATS[extension];
  if (format !== undefined) return format;
  const message = `${path}: the extension is none of ${Object.keys(FORMATS).join(', ')}; name the format`;
  throw new EngineError('E_USAGE', 'evaluate', message, { where: 'format' });
}

/**
 * The records of a tsv, csv, json or jsonl file, one by one. Tables and jsonl are streamed; json is a list, or an object whose `data` is one.
 *
 * Behind a quote that is never closed, text behind a closed one, or bytes that are no UTF-8 nothing tells where the next record begins: these
 * are always thrown.
 * @throws {EngineError} E_NOT_FOUND, E_IO; E_DATASET malformed content with its line or index; E_LIMIT a record or document is too large.
 */
export async function* readRecords(path: string, options: RecordOptions = {}): AsyncGenerator<DataRecord> {
  const { header = true, onBadRecord: onBad = fail } = options;
  switch (options.format ?? formatOf(path)) {
    case 'tsv':
      return yield* tableRecords(path, tsvRows(path), header, onBad);
    case 'csv':
      return yield* tableRecords(path, csvRows(path), header, onBad);
    case 'jsonl':
      return yield* jsonLines(path, onBad);
    case 'json':
      return yield* jsonList(path, onBad);
  }
}

type OnBad = (error: EngineError) => void;

const fail: OnBad = (error) => {
  throw error;
};

async function* tableRecords(path: string, rows: AsyncGenerator<Row>, hasHeader: boolean, onBad: OnBad): AsyncGenerator<DataRecord> {
  let names: readonly string[] | undefined;
  for await (const { line, fields } of rows) {
    const where = `${path} line ${line}`;
    if (names === undefined) {
      names = hasHeader ? fields.map((field) => field.trim()) : fields.map((_, i) => String(i));
      const twice = names.find((name, i) => names!.indexOf(name) !== i);
      if (twice !== undefined) throw datasetError(`the column "${twice}" is there twice`, where);
      if (hasHeader) continue;
    }
    if (fields.length === names.length) yield { where, values: new Map(names.map((name, i) => [name, fields[i]])) };
    else onBad(datasetError(`${fields.length} fields, expected ${names.length}`, where));
  }
}

async function* jsonLines(path: string, onBad: OnBad): AsyncGenerator<DataRecord> {
  for await (const { line, text } of linesOf(path)) {
    if (text.trim() === '') continue;
    yield* recordOf(`${path} line ${line}`, (where) => parseJsonText(text, where), onBad);
  }
}

async function* jsonList(path: string, onBad: OnBad): AsyncGenerator<DataRecord> {
  const root = await readJsonFile(path);
  const list = Array.isArray(root) ? root : (root as { data?: unknown } | null)?.data;
  if (!Array.isArray(list)) throw datasetError('expected a list, or an object with a list "data"', path);
  for (const [index, value] of list.entries()) yield* recordOf(`${path} [${index}]`, () => value, onBad);
}

/** The record, or none where its value is bad. */
function* recordOf(where: string, read: (where: string) => unknown, onBad: OnBad): Generator<DataRecord> {
  let values: DataRecord['values'];
  try {
    values = valuesOf(read(where), where);
  } catch (error) {
    if (!EngineError.isInstance(error) || error.code !== 'E_DATASET') throw error;
    return onBad(error);
  }
  yield { where, values };
}

function valuesOf(value: unknown, where: string): ReadonlyMap<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw datasetError('expected an object', where);
  return new Map(Object.entries(value));
}
