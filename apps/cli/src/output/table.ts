/** The forms a result can be printed in. */
export const FORMATS = ['text', 'md', 'json', 'jsonl', 'csv'] as const;
export type Format = (typeof FORMATS)[number];

export type Cell = string | number | boolean | null;

export interface Column {
  /** Key in each row, and in JSON. */
  readonly key: string;
  /** Heading in text and markdown. */
  readonly title: string;
  /** How a number is shown in text and markdown; JSON and CSV keep it whole. */
  readonly digits?: number;
  readonly align?: 'left' | 'right';
}

/** Figures that belong to a row and are no column: they are in JSON alone. */
export type Nested = Readonly<Record<string, number | readonly number[]>>;

export type Row = Readonly<Record<string, Cell | Nested>>;

// Control characters from a model's names would otherwise reach the terminal.
const escapeControl = (text: string): string =>
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);

const show = (cell: Cell | Nested | undefined, column: Column): string => {
  if (cell === null || cell === undefined || typeof cell === 'object' || Number.isNaN(cell)) return '–';
  if (typeof cell === 'number') return column.digits === undefined ? String(cell) : cell.toFixed(column.digits);
  return escapeControl(String(cell));
};

/** Lines of a table with aligned columns, numbers to the right. */
export function textTable(columns: readonly Column[], rows: readonly Row[]): string {
  const cells = [columns.map((column) => column.title), ...rows.map((row) => columns.map((column) => show(row[column.key], column)))];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  const right = columns.map(
    (column) => (column.align ?? (rows.some((row) => typeof row[column.key] === 'number') ? 'right' : 'left')) === 'right',
  );
  const line = (parts: readonly string[]): string =>
    parts
      .map((part, i) => (right[i] ? part.padStart(widths[i]!) : part.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [line(cells[0]!), widths.map((width) => '─'.repeat(width)).join('  '), ...cells.slice(1).map(line)].join('\n');
}

export function markdownTable(columns: readonly Column[], rows: readonly Row[]): string {
  const line = (parts: readonly string[]): string => `| ${parts.map((part) => part.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = columns.map((column) => (rows.some((row) => typeof row[column.key] === 'number') ? '---:' : '---'));
  return [
    line(columns.map((column) => column.title)),
    line(rule),
    ...rows.map((row) => line(columns.map((column) => show(row[column.key], column)))),
  ].join('\n');
}

const csvCell = (cell: Cell | Nested | undefined): string => {
  const text = cell === null || cell === undefined || typeof cell === 'object' || Number.isNaN(cell) ? '' : String(cell);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/**
 * One table in any form. JSON is one object with `schemaVersion`, the extra fields and `rows`; jsonl is a row a line.
 */
export function formatTable(
  format: Format,
  columns: readonly Column[],
  rows: readonly Row[],
  extra: Readonly<Record<string, unknown>> = {},
): string {
  switch (format) {
    case 'text':
      return textTable(columns, rows);
    case 'md':
      return markdownTable(columns, rows);
    case 'csv':
      return [columns.map((column) => column.key), ...rows.map((row) => columns.map((column) => row[column.key]))]
        .map((line) => line.map(csvCell).join(','))
        .join('\n');
    case 'jsonl':
      return rows.map((row) => JSON.stringify(row)).join('\n');
    case 'json':
      return JSON.stringify({ schemaVersion: 1, ...extra, rows }, null, 2);
  }
}
