import { EngineError } from '@neural-engine/core';
import { type Dataset, datasetError, ExampleCollector, type OnError } from './errors';
import { GLUE_TASKS, type GlueTask, type GlueTaskName, KNOWN_LABEL_COLUMNS, KNOWN_TEXT_COLUMNS } from './glue';
import { type DataRecord, type RecordFormat, readRecords } from './records';

/** A text or pair with the number of its class, or with its score. */
export interface ClassificationExample {
  readonly text: string;
  readonly pair?: string;
  readonly label: number;
}

export interface ClassificationData extends Dataset<ClassificationExample> {
  /** Class names, where they are known. */
  readonly labels: readonly string[] | undefined;
  /** True where labels are scores and not classes. */
  readonly isRegression: boolean;
}

export interface ClassificationDataOptions {
  /** A GLUE task, for its columns and labels. Without one, common column names are looked for. */
  readonly task?: GlueTaskName;
  readonly textColumn?: string;
  readonly pairColumn?: string;
  readonly labelColumn?: string;
  /** Class names in the order of the model's outputs; labels in the file may be these names or their numbers. */
  readonly labels?: readonly string[];
  /** Labels are scores. */
  readonly regression?: boolean;
  readonly format?: RecordFormat;
  readonly header?: boolean;
  /** Default `fail`. */
  readonly onError?: OnError;
}

interface Columns {
  readonly text: string;
  readonly pair?: string | undefined;
  readonly label: string;
}

/**
 * Reads a labelled set of texts from tsv, csv, json or jsonl.
 * @throws {EngineError} E_USAGE, E_NOT_FOUND, E_IO, E_LIMIT; E_DATASET a missing column, or a bad record with its line or index.
 */
export async function readClassification(path: string, options: ClassificationDataOptions = {}): Promise<ClassificationData> {
  const task = taskOf(options.task);
  const labels = options.labels ?? task?.labels;
  const isRegression = options.regression ?? task?.scores !== undefined;
  const collector = new ExampleCollector<ClassificationExample>(options.onError ?? 'fail');
  let columns: Columns | undefined;
  const header = options.header ?? task?.header;
  for await (const record of readRecords(path, {
    ...(options.format && { format: options.format }),
    ...(header !== undefined && { header }),
    onBadRecord: collector.leaveOut,
  })) {
    columns ??= chooseColumns(record, options, task, path);
    const chosen = columns;
    collector.add(() => {
      const pair = chosen.pair === undefined ? undefined : textAt(record, chosen.pair);
      return {
        text: textAt(record, chosen.text),
        ...(pair !== undefined && { pair }),
        label: isRegression ? scoreAt(record, chosen.label, task?.scores) : classAt(record, chosen.label, labels),
      };
    });
  }
  return { ...collector.finish(path), labels, isRegression };
}

function taskOf(name: GlueTaskName | undefined): GlueTask | undefined {
  if (name === undefined) return undefined;
  if (Object.hasOwn(GLUE_TASKS, name)) return GLUE_TASKS[name];
  throw new EngineError('E_USAGE', 'evaluate', `the task "${String(name)}" is none of ${Object.keys(GLUE_TASKS).join(', ')}`, {
    where: 'task',
  });
}

/** Named columns first, then the task's, then common ones: the first that the file has. */
function chooseColumns({ values }: DataRecord, options: ClassificationDataOptions, task: GlueTask | undefined, path: string): Columns {
  const has = (name: string) => values.has(name);
  const fail = (what: string): never => {
    throw datasetError(`no column ${what}; the columns are ${[...values.keys()].map((name) => `"${name}"`).join(', ')}`, path);
  };
  for (const name of [options.textColumn, options.pairColumn, options.labelColumn]) if (name !== undefined && !has(name)) fail(`"${name}"`);
  const taskTexts = task === undefined ? [] : [{ text: task.text, ...(task.pair !== undefined && { pair: task.pair }) }];
  const known = [...taskTexts, ...KNOWN_TEXT_COLUMNS].find(({ text, pair }) => has(text) && (pair === undefined || has(pair)));
  const texts = options.textColumn !== undefined ? { text: options.textColumn, pair: options.pairColumn } : known;
  const label = options.labelColumn ?? [...(task === undefined ? [] : [task.label]), ...KNOWN_LABEL_COLUMNS].find(has);
  if (texts === undefined) return fail('of texts');
  if (label === undefined) return fail('of labels');
  return { text: texts.text, pair: options.pairColumn ?? texts.pair, label };
}

function textAt({ values, where }: DataRecord, column: string): string {
  const value = values.get(column);
  if (typeof value !== 'string')
    throw datasetError(`"${column}" is ${value === undefined ? 'missing' : typeof value}, expected a text`, where);
  return value;
}

/** A class by its name or its number. */
function classAt({ values, where }: DataRecord, column: string, labels: readonly string[] | undefined): number {
  const value = values.get(column);
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string')
    throw datasetError(`"${column}" is ${text === undefined ? 'missing' : typeof text}, expected a label`, where);
  const named = labels?.indexOf(text) ?? -1;
  if (named >= 0) return named;
  const expected =
    labels === undefined
      ? 'a number from 0 (or name the labels)'
      : `${labels.map((label) => `"${label}"`).join(', ')} or 0 to ${labels.length - 1}`;
  const index = /^\d{1,9}$/.test(text.trim()) ? Number(text) : -1;
  if (index < 0 || (labels !== undefined && index >= labels.length)) {
    throw datasetError(`the label ${JSON.stringify(text.slice(0, 40))} is not ${expected}`, where);
  }
  return index;
}

function scoreAt({ values, where }: DataRecord, column: string, bounds: readonly [number, number] | undefined): number {
  const value = values.get(column);
  const score = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof score !== 'number' || !Number.isFinite(score))
    throw datasetError(`"${column}" is ${JSON.stringify(value) ?? 'missing'}, expected a number`, where);
  if (bounds !== undefined && (score < bounds[0] || score > bounds[1]))
    throw datasetError(`the score ${score} is not from ${bounds[0]} to ${bounds[1]}`, where);
  return score;
}
