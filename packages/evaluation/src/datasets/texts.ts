import { type Dataset, datasetError, ExampleCollector, type OnError } from './errors';
import { KNOWN_TEXT_COLUMNS } from './glue';
import { type DataRecord, formatOf, type RecordFormat, readRecords } from './records';
import { parseSquad } from './squad';
import { readJsonFile } from './text-source';

/** A text, or two that belong together, without a label: all that calibration needs. */
export interface PlainText {
  readonly text: string;
  readonly pair?: string;
}

export interface TextsOptions {
  readonly format?: RecordFormat;
  readonly textColumn?: string;
  readonly pairColumn?: string;
  /** Default `fail`. */
  readonly onError?: OnError;
}

const COLUMNS: typeof KNOWN_TEXT_COLUMNS = [{ text: 'question', pair: 'context' }, ...KNOWN_TEXT_COLUMNS];

/**
 * Reads texts without their labels: SQuAD's questions with their contexts, GLUE's files, and any tsv, csv, json or jsonl with columns such
 * as `text`, `sentence` or `question` and `context`.
 *
 * @throws {EngineError} E_USAGE, E_NOT_FOUND, E_IO, E_LIMIT; E_DATASET a missing column, or a bad record with its line or index.
 */
export async function readTexts(path: string, options: TextsOptions = {}): Promise<Dataset<PlainText>> {
  const onError = options.onError ?? 'fail';
  if ((options.format ?? formatOf(path)) === 'json') {
    const root = await readJsonFile(path);
    if (isSquad(root)) {
      const { examples, ...rest } = parseSquad(root, path, { onError, requireAnswers: false });
      return { examples: examples.map(({ question, context }) => ({ text: question, pair: context })), ...rest };
    }
  }
  const collector = new ExampleCollector<PlainText>(onError);
  let columns: { readonly text: string; readonly pair?: string } | undefined;
  for await (const record of readRecords(path, { ...(options.format && { format: options.format }), onBadRecord: collector.leaveOut })) {
    columns ??= chooseColumns(record, options, path);
    const { text, pair } = columns;
    collector.add(() => ({ text: textAt(record, text), ...(pair === undefined ? {} : { pair: textAt(record, pair) }) }));
  }
  return collector.finish(path);
}

function isSquad(root: unknown): boolean {
  const data = (root as { data?: unknown } | null)?.data;
  return Array.isArray(data) && (data.length === 0 || Array.isArray((data[0] as { paragraphs?: unknown } | null)?.paragraphs));
}

function chooseColumns({ values }: DataRecord, { textColumn, pairColumn }: TextsOptions, path: string) {
  const fail = (what: string): never => {
    throw datasetError(`no column ${what}; the columns are ${[...values.keys()].map((name) => `"${name}"`).join(', ')}`, path);
  };
  for (const name of [textColumn, pairColumn]) if (name !== undefined && !values.has(name)) fail(`"${name}"`);
  if (textColumn !== undefined) return { text: textColumn, ...(pairColumn === undefined ? {} : { pair: pairColumn }) };
  return COLUMNS.find(({ text, pair }) => values.has(text) && (pair === undefined || values.has(pair))) ?? fail('of texts');
}

function textAt({ values, where }: DataRecord, column: string): string {
  const value = values.get(column);
  if (typeof value === 'string') return value;
  throw datasetError(`"${column}" is ${value === undefined ? 'missing' : typeof value}, expected a text`, where);
}
