import type { Row } from '../output/table';
import { type ChartOptions, type ChartSeries, chart, standaloneChart } from '../report/chart';
import { htmlTable } from '../report/html-table';
import { escapeHtml, page } from '../report/page';
import { benchColumns, shownRows } from './columns';

export interface SweepPicture {
  readonly rows: readonly Row[];
  readonly title: string;
  readonly subtitle: string;
  readonly best?: Row | undefined;
  readonly limit?: { readonly ms: number; readonly by: string };
}

/** A line for everything but the batch size, which runs along it. */
function seriesOf({ rows, best }: SweepPicture): ChartSeries[] {
  const several = (key: string): boolean => new Set(rows.map((row) => row[key])).size > 1;
  const named: [string, (row: Row) => string][] = [
    ['precision', (row) => String(row['precision'])],
    ['instances', (row) => `${row['instances']} × ${row['threads']} thread${row['threads'] === 1 ? '' : 's'}`],
    ['threads', (row) => (several('instances') ? '' : `${row['threads']} thread${row['threads'] === 1 ? '' : 's'}`)],
    ['seqLen', (row) => `${row['seqLen']} tokens`],
  ];
  const nameOf = (row: Row): string =>
    named
      .filter(([key]) => several(key))
      .map(([, say]) => say(row))
      .filter(Boolean)
      .join(', ') || `${row['instances']} × ${row['threads']} threads, ${row['seqLen']} tokens`;
  const groups = new Map<string, Row[]>();
  for (const row of rows) groups.set(nameOf(row), [...(groups.get(nameOf(row)) ?? []), row]);
  return [...groups].map(([name, group]) => ({
    name,
    points: group.map((row) => ({
      x: Number(row['p99']),
      y: Number(row['throughput']),
      label: `b${row['batch']}`,
      detail: `batch ${row['batch']}, ${name}: ${Number(row['throughput']).toFixed(1)} samples/s, P50 ${Number(row['p50']).toFixed(2)} ms, P99 ${Number(row['p99']).toFixed(2)} ms`,
      ...(row === best ? { best: true } : {}),
    })),
  }));
}

const chartOptions = ({ limit }: SweepPicture): ChartOptions => ({
  xTitle: 'P99 latency of a run, ms',
  yTitle: 'throughput, samples/s',
  ...(limit && limit.by === 'p99' ? { limit: { x: limit.ms, label: `limit ${limit.ms} ms` } } : {}),
});

/** Throughput against latency, as an SVG file. */
export const sweepSvg = (picture: SweepPicture): string => standaloneChart(seriesOf(picture), chartOptions(picture));

/** The same with the table, as a page that loads nothing. */
export function sweepPage(picture: SweepPicture): string {
  const { rows, best, limit, title, subtitle } = picture;
  const verdict = limit
    ? `<p>${best ? `Best within ${escapeHtml(limit.by)} ≤ ${limit.ms} ms: <b>${Number(best['throughput']).toFixed(1)} samples/s</b>, batch ${best['batch']}, ${best['instances']} × ${best['threads']} threads.` : `No combination stays within ${escapeHtml(limit.by)} ≤ ${limit.ms} ms.`}</p>`
    : '';
  const body = `${verdict}<figure style="margin:0">${chart(seriesOf(picture), chartOptions(picture))}</figure><h2>All combinations</h2>${htmlTable(benchColumns(rows), shownRows(rows), (row) => best !== undefined && row['throughput'] === best['throughput'] && row['p50'] === best['p50'])}`;
  return page(title, subtitle, body);
}
