import { datasetError, datasetLimit } from './errors';
import { linesOf, MAX_RECORD_UNITS, textChunks } from './text-source';

/** One row of a table: its fields, and the line it begins on, from 1. */
export interface Row {
  readonly line: number;
  readonly fields: readonly string[];
}

/** Rows of a tab-separated file as GLUE has them: no quoting, one row a line; empty lines are passed over. */
export async function* tsvRows(path: string): AsyncGenerator<Row> {
  for await (const { line, text } of linesOf(path)) if (text !== '') yield { line, fields: text.split('\t') };
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const LF = 0x0a;
const CR = 0x0d;

/** Where the reader of a row stands. */
type State = 'start of field' | 'plain field' | 'quoted field' | 'behind quote';

/**
 * Rows of a comma-separated file (RFC 4180): fields in double quotes may hold commas, line ends and doubled quotes. Read as it comes.
 * @throws {EngineError} E_DATASET a quote that is never closed, or text behind a closed one, with the line; E_LIMIT a row is too long.
 */
export async function* csvRows(path: string): AsyncGenerator<Row> {
  const parser = new CsvParser(path);
  for await (const chunk of textChunks(path)) yield* parser.push(chunk);
  yield* parser.finish();
}

class CsvParser {
  #state: State = 'start of field';
  #fields: string[] = [];
  #field = '';
  #units = 0;
  #line = 1;
  #rowLine = 1;
  #afterCr = false;

  constructor(private readonly path: string) {}

  *push(chunk: string): Generator<Row> {
    // Text between characters that mean something is copied in one piece.
    let from = 0;
    for (let i = 0; i < chunk.length; i++) {
      const unit = chunk.charCodeAt(i);
      const isLineEnd = unit === LF || unit === CR;
      const secondHalf = unit === LF && this.#afterCr;
      this.#afterCr = unit === CR;
      if (isLineEnd && !secondHalf) this.#line++;
      if (this.#state === 'quoted field') {
        if (unit !== QUOTE) continue;
        this.#take(chunk, from, i);
        this.#state = 'behind quote';
        from = i + 1;
      } else if (unit === QUOTE && this.#state === 'behind quote') {
        this.#field += '"';
        this.#state = 'quoted field';
        from = i + 1;
      } else if (unit === QUOTE && this.#state === 'start of field') {
        this.#state = 'quoted field';
        from = i + 1;
      } else if (unit === COMMA || isLineEnd) {
        this.#take(chunk, from, i);
        from = i + 1;
        if (secondHalf) {
          this.#rowLine = this.#line;
          continue;
        }
        this.#endField();
        if (isLineEnd) yield* this.#endRow();
      } else if (this.#state === 'behind quote') {
        throw datasetError('text follows a closing quote', `${this.path} line ${this.#line}`);
      } else this.#state = 'plain field';
    }
    this.#take(chunk, from, chunk.length);
  }

  *finish(): Generator<Row> {
    if (this.#state === 'quoted field') throw datasetError('a quote is opened here and never closed', `${this.path} line ${this.#rowLine}`);
    if (this.#fields.length > 0 || this.#field !== '' || this.#state === 'behind quote') {
      this.#endField();
      yield* this.#endRow();
    }
  }

  #take(chunk: string, from: number, to: number): void {
    if (to <= from) return;
    this.#units += to - from;
    if (this.#units > MAX_RECORD_UNITS)
      throw datasetLimit(`a row is longer than ${MAX_RECORD_UNITS} characters`, `${this.path} line ${this.#rowLine}`);
    this.#field += chunk.slice(from, to);
  }

  #endField(): void {
    this.#fields.push(this.#field);
    this.#field = '';
    this.#state = 'start of field';
  }

  *#endRow(): Generator<Row> {
    const fields = this.#fields;
    const line = this.#rowLine;
    this.#fields = [];
    this.#units = 0;
    this.#rowLine = this.#line;
    // An empty line is no row.
    if (fields.length > 1 || fields[0] !== '') yield { line, fields };
  }
}
