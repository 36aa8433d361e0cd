import { type Dataset, datasetError, ExampleCollector, type OnError } from './errors';
import { readJsonFile } from './text-source';

/** A question about a text with every accepted answer; `context.slice(start, start + text.length) === text`. */
export interface SquadExample {
  readonly id: string;
  readonly title: string;
  readonly question: string;
  readonly context: string;
  /** `start` counts UTF-16 units, whatever the file counted. */
  readonly answers: readonly { readonly text: string; readonly start: number }[];
}

export interface SquadOptions {
  /** Default `fail`. */
  readonly onError?: OnError;
  /** False accepts questions without answers, for calibration. Default true. */
  readonly requireAnswers?: boolean;
}

/**
 * Reads a file in the SQuAD v1.1 format.
 * @throws {EngineError} E_NOT_FOUND, E_IO, E_LIMIT; E_DATASET with the place of the record that is wrong.
 */
export async function readSquad(path: string, options: SquadOptions = {}): Promise<Dataset<SquadExample>> {
  return parseSquad(await readJsonFile(path), path, options);
}

/** Reads parsed JSON of the SQuAD v1.1 format. `where` names it in errors. */
export function parseSquad(value: unknown, where = 'SQuAD data', options: SquadOptions = {}): Dataset<SquadExample> {
  const { onError = 'fail', requireAnswers = true } = options;
  const collector = new ExampleCollector<SquadExample>(onError);
  const ids = new Set<string>();
  const articles = listAt(objectAt(value, where)['data'], `${where}: data`);
  for (const [a, article] of articles.entries()) {
    const articleAt = `${where}: data[${a}]`;
    const { title, paragraphs } = collector.attempt(() => articleOf(article, articleAt)) ?? { title: '', paragraphs: [] };
    for (const [p, paragraph] of paragraphs.entries()) {
      const paragraphAt = `${articleAt}.paragraphs[${p}]`;
      const { context, qas } = collector.attempt(() => paragraphOf(paragraph, paragraphAt)) ?? { context: '', qas: [] };
      for (const [q, qa] of qas.entries()) {
        collector.add(() => {
          const example = questionAt(qa, `${paragraphAt}.qas[${q}]`, title, context, requireAnswers);
          if (ids.has(example.id))
            throw datasetError(`the id ${JSON.stringify(example.id.slice(0, 60))} came before`, `${paragraphAt}.qas[${q}]`);
          ids.add(example.id);
          return example;
        });
      }
    }
  }
  return collector.finish(where);
}

function articleOf(value: unknown, where: string): { title: string; paragraphs: readonly unknown[] } {
  const { title, paragraphs } = objectAt(value, where);
  return { title: typeof title === 'string' ? title : '', paragraphs: listAt(paragraphs, `${where}.paragraphs`) };
}

function paragraphOf(value: unknown, where: string): { context: string; qas: readonly unknown[] } {
  const { context, qas } = objectAt(value, where);
  return { context: textAt(context, `${where}.context`), qas: listAt(qas, `${where}.qas`) };
}

function questionAt(value: unknown, where: string, title: string, context: string, requireAnswers: boolean): SquadExample {
  const { id, question, answers, is_impossible: impossible } = objectAt(value, where);
  const list = answers === undefined && !requireAnswers ? [] : listAt(answers, `${where}.answers`);
  if (list.length === 0 && requireAnswers) {
    throw datasetError(impossible === true ? 'has no answer, which SQuAD 2.0 allows and version 1.1 does not' : 'has no answer', where);
  }
  return {
    id: textAt(id, `${where}.id`),
    title,
    question: textAt(question, `${where}.question`),
    context,
    answers: list.map((answer, i) => answerAt(answer, `${where}.answers[${i}]`, context)),
  };
}

/** Files count code points, as Python does; JavaScript counts UTF-16 units. They differ only behind an astral character. */
function answerAt(value: unknown, where: string, context: string): { text: string; start: number } {
  const { text: given, answer_start: position } = objectAt(value, where);
  const text = textAt(given, `${where}.text`);
  if (typeof position !== 'number' || !Number.isInteger(position) || position < 0) {
    throw datasetError(`answer_start is ${String(position)}, expected a non-negative integer`, where);
  }
  for (const start of [unitIndex(context, position), position]) {
    if (context.startsWith(text, start)) return { text, start };
  }
  const place =
    position >= context.length
      ? `the context has only ${context.length} characters`
      : `${JSON.stringify(context.slice(position, position + Math.min(text.length, 40)))} stands there`;
  throw datasetError(`the answer ${JSON.stringify(text.slice(0, 40))} is not at ${position} of the context: ${place}`, where);
}

/** UTF-16 index of code point `index`. */
function unitIndex(text: string, index: number): number {
  if (!/[\ud800-\udfff]/.test(text)) return index;
  let unit = 0;
  for (let point = 0; point < index && unit < text.length; point++) unit += text.codePointAt(unit)! > 0xffff ? 2 : 1;
  return unit;
}

function objectAt(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw datasetError('expected an object', where);
  return value as Record<string, unknown>;
}

function listAt(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw datasetError(value === undefined ? 'missing' : 'expected a list', where);
  return value;
}

function textAt(value: unknown, where: string): string {
  if (typeof value !== 'string') throw datasetError(value === undefined ? 'missing' : 'expected a string', where);
  if (value.trim() === '') throw datasetError('empty', where);
  return value;
}
