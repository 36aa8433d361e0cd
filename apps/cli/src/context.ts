import { EngineError } from '@neural-engine/core';
import { type Column, FORMATS, type Format, formatTable, type Row } from './output/table';

/** Where a command writes, so that tests can read it. */
export interface Io {
  out(text: string): void;
  err(text: string): void;
}

export const consoleIo: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

export interface OutputFlags {
  readonly output?: string;
  readonly json?: boolean;
}

/** The form that flags ask for. */
export function formatOf(flags: OutputFlags): Format {
  if (flags.json) return 'json';
  const name = flags.output ?? 'text';
  if (!(FORMATS as readonly string[]).includes(name))
    throw new EngineError('E_USAGE', 'usage', `--output ${name}: expected one of ${FORMATS.join(', ')}`);
  return name as Format;
}

/** Prints one table in the form asked for; `notes` go below it in text and to stderr never. */
export function printTable(
  io: Io,
  format: Format,
  columns: readonly Column[],
  rows: readonly Row[],
  extra: Readonly<Record<string, unknown>> = {},
): void {
  io.out(`${formatTable(format, columns, rows, extra)}\n`);
}

/** Parses a positive whole number. @throws {EngineError} E_USAGE naming the flag. */
export function positiveInteger(flag: string, text: string, most = 1_000_000): number {
  const value = Number(text);
  if (!/^\d+$/.test(text.trim()) || value < 1 || value > most)
    throw new EngineError('E_USAGE', 'usage', `${flag} ${text}: expected a whole number from 1 to ${most}`);
  return value;
}

/** Parses `1,8,16-19`. @throws {EngineError} E_USAGE naming the flag. */
export function integerList(flag: string, text: string): number[] {
  return text.split(',').flatMap((part) => {
    const range = /^(\d+)-(\d+)$/.exec(part.trim());
    if (!range) return [nonNegative(flag, part)];
    const [from, to] = [Number(range[1]), Number(range[2])];
    if (to < from || to - from > 4096)
      throw new EngineError('E_USAGE', 'usage', `${flag} ${text}: the range ${part} is not ascending or too long`);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

function nonNegative(flag: string, text: string): number {
  if (!/^\d+$/.test(text.trim())) throw new EngineError('E_USAGE', 'usage', `${flag} ${text}: expected whole numbers, commas and ranges`);
  return Number(text);
}
