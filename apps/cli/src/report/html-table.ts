import type { Column, Row } from '../output/table';
import { escapeHtml } from './page';

/** A table; rows for which `isBest` holds stand out. */
export function htmlTable(columns: readonly Column[], rows: readonly Row[], isBest: (row: Row) => boolean = () => false): string {
  const left = columns.map(({ align, key }) => (align ?? (rows.some((row) => typeof row[key] === 'number') ? 'right' : 'left')) === 'left');
  const cell = (tag: string, text: string, i: number): string => `<${tag}${left[i] ? ' class="l"' : ''}>${escapeHtml(text)}</${tag}>`;
  const shown = (row: Row, { key, digits }: Column): string => {
    const value = row[key];
    if (value === null || value === undefined) return '–';
    return typeof value === 'number' && digits !== undefined ? value.toFixed(digits) : String(value);
  };
  const head = columns.map((column, i) => cell('th', column.title, i)).join('');
  const body = rows.map(
    (row) => `<tr${isBest(row) ? ' class="best"' : ''}>${columns.map((column, i) => cell('td', shown(row, column), i)).join('')}</tr>`,
  );
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table></div>`;
}
