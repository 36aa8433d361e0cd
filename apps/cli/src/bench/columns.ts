import type { Column, Row } from '../output/table';

const ms = (key: string, title: string): Column => ({ key, title, digits: 3 });

/** Columns that are shown when their value says something; the others always are. JSON and jsonl rows hold everything. */
const OPTIONAL: readonly [Column, (row: Row) => boolean][] = [
  [{ key: 'precision', title: 'precision', align: 'left' }, (row) => row['precision'] !== 'as stored'],
  [{ key: 'instances', title: 'instances' }, (row) => Number(row['instances']) > 1],
  [{ key: 'cores', title: 'cores', align: 'left' }, (row) => row['cores'] !== null],
];

const MEMORY: Column = { key: 'pssMiB', title: 'PSS MiB', digits: 1 };

const ALWAYS: readonly Column[] = [
  { key: 'batch', title: 'batch' },
  { key: 'seqLen', title: 'tokens' },
  { key: 'threads', title: 'threads' },
  ms('p50', 'P50 ms'),
  ms('p90', 'P90 ms'),
  ms('p95', 'P95 ms'),
  ms('p99', 'P99 ms'),
  ms('p999', 'P99.9 ms'),
  ms('mean', 'mean ms'),
  ms('sd', '± ms'),
  ms('min', 'min ms'),
  { key: 'throughput', title: 'samples/s', digits: 1 },
  { key: 'outliers', title: 'outliers' },
];

const ORT: readonly Column[] = [ms('ortP50', 'ORT P50 ms'), ms('ortMin', 'ORT min ms')];
const AGAINST: readonly Column[] = [ms('againstP50', 'against P50 ms'), ms('againstMin', 'against min ms')];
const RATIO: Column = { key: 'ratio', title: 'times as fast', digits: 2 };

/** What a table of these rows shows. */
export function benchColumns(rows: readonly Row[]): Column[] {
  return [
    ...OPTIONAL.filter(([, says]) => rows.some(says)).map(([column]) => column),
    ...ALWAYS,
    ...(rows.some((row) => typeof row['pss'] === 'number') ? [MEMORY] : []),
    ...(rows.some((row) => 'ortP50' in row) ? ORT : []),
    ...(rows.some((row) => 'againstP50' in row) ? AGAINST : []),
    ...(rows.some((row) => 'ratio' in row) ? [RATIO] : []),
  ];
}

/** Rows as a table shows them: bytes as MiB. */
export const shownRows = (rows: readonly Row[]): Row[] =>
  rows.map((row) => (typeof row['pss'] === 'number' ? { ...row, pssMiB: row['pss'] / 2 ** 20 } : row));
