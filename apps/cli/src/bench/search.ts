import { EngineError } from '@neural-engine/core';
import { isa } from '@neural-engine/kernels';
import type { Row } from '../output/table';
import { Forms } from '../precision';
import { Measurer } from './bench';
import { type BenchCase, type BenchOptions, casesOf } from './options';

/** The batch sizes that the original's launcher tries. */
export const LAUNCHER_BATCHES: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128];

export const LIMITED = ['mean', 'p50', 'p90', 'p95', 'p99'] as const;
export type LimitedBy = (typeof LIMITED)[number];

export interface SearchResult {
  /** Every combination that was measured. */
  readonly rows: Row[];
  /** The one with the highest throughput among those within the limit, if any is. */
  readonly best: Row | undefined;
  /** Combinations left out because a smaller batch was over the limit already. */
  readonly skipped: number;
}

/** Parses `10ms`, `10` or `0.5s` to milliseconds. @throws {EngineError} E_USAGE. */
export function latencyLimit(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|us|µs)?$/.exec(text.trim());
  const value = Number(match?.[1]) * ({ ms: 1, s: 1000, us: 1e-3, µs: 1e-3 }[match?.[2] ?? 'ms'] ?? Number.NaN);
  if (!(value > 0)) throw new EngineError('E_USAGE', 'usage', `--latency-limit ${text}: expected a time such as 10ms`);
  return value;
}

/** Numbers of instances worth trying when none are named: 1, 2, 4, … up to one a core. Each gets an equal share of the cores. */
export function instanceCandidates(cores: number): number[] {
  const counts: number[] = [];
  for (let count = 1; count < cores; count *= 2) counts.push(count);
  return [...counts, cores];
}

/**
 * Finds the highest throughput whose latency stays within the limit.
 *
 * Latency is that of a run, which is what a caller waits for. A larger batch never answers sooner: once a batch is over the limit, larger
 * ones of the same instances, threads, length and precision are left out.
 */
export async function search(options: BenchOptions, limitMs: number, by: LimitedBy): Promise<SearchResult> {
  using forms = new Forms(options.model);
  const measurer = new Measurer(options, forms);
  const sorted = { ...options, batchSizes: [...options.batchSizes].sort((a, b) => a - b) };
  const cases = casesOf(sorted);
  const over = new Set<string>();
  const family = ({ batch: _, ...rest }: BenchCase): string => JSON.stringify(rest);
  const rows: Row[] = [];
  let skipped = 0;
  for (const [i, each] of cases.entries()) {
    if (options.signal?.aborted) break;
    if (over.has(family(each))) {
      skipped++;
      continue;
    }
    options.onCase?.(i, cases.length);
    const { row } = await measurer.measure(each);
    const within = Number(row[by]) <= limitMs;
    if (!within) over.add(family(each));
    rows.push({ ...row, within });
  }
  const best = rows
    .filter((row) => row['within'])
    .reduce<Row | undefined>((a, b) => (a && Number(a['throughput']) >= Number(b['throughput']) ? a : b), undefined);
  return { rows, best, skipped };
}

/** What a row was measured with, beside what the row itself says. */
export type Replayed = Pick<BenchOptions, 'model' | 'iterations' | 'processes' | 'sparse' | 'embeddings' | 'rounding' | 'tune'>;

/** How to run a row again: the same model, form, cores, threads and runs. */
export function replay({ model, iterations, processes, ...forms }: Replayed, row: Row): string {
  const words: unknown[] = ['ne', 'bench', model, '-b', row['batch'], '-s', row['seqLen'], '-i', iterations];
  words.push('--instances', row['instances'], '--threads', row['threads']);
  if (row['cores'] !== null) words.push('--cores', String(row['cores']).replace(/[+ ]/g, ','));
  if (row['precision'] !== 'as stored') words.push('--precision', row['precision']);
  for (const name of ['sparse', 'embeddings', 'rounding', 'tune'] as const) if (forms[name]) words.push(`--${name}`, forms[name]);
  if (processes) words.push('--processes');
  return words.map(shellWord).join(' ');
}

/** As a shell takes it for one word. */
const shellWord = (word: unknown): string =>
  /^[\w@%+=:,./-]+$/.test(String(word)) ? String(word) : `'${String(word).replaceAll("'", "'\\''")}'`;

/**
 * The file that the original's launcher writes, its spelling and all, with the best row below. Its latencies are milliseconds a sample, those
 * of a run divided by the batch size, as its executor keeps them.
 */
export function launcherCsv(how: Replayed, rows: readonly Row[], best: Row | undefined): string {
  const header = 'batch,instance,cores per instance,Troughput,Average Latency,P50 Latency,P90 Latency,P99 Latency,cmd';
  const line = (row: Row): string =>
    [
      row['batch'],
      row['instances'],
      row['threads'],
      Number(row['throughput']).toFixed(3),
      ...['mean', 'p50', 'p90', 'p99'].map((key) => (Number(row[key]) / Number(row['batch'])).toFixed(3)),
      `"${replay(how, row).replaceAll('"', '""')}"`,
    ].join(',');
  return [header, ...rows.map(line), '', 'best', header, ...(best ? [line(best)] : []), ''].join('\n');
}

/** What a search runs through when the command names nothing: the launcher's batches, and instances that divide this machine. */
export const searchDefaults = (): { batchSizes: readonly number[]; instances: readonly number[] } => ({
  batchSizes: LAUNCHER_BATCHES,
  instances: instanceCandidates(isa().defaultThreads),
});
