import { type LoadedModel, type LoadOptions, load, type Placement, placeInstances } from '@neural-engine/engine';
import { isa } from '@neural-engine/kernels';
import { benchFeeds } from '../feeds';
import { histogramLines, latencyHistogram, latencyStatistics } from '../output/statistics';
import type { Row } from '../output/table';
import { type Form, Forms } from '../precision';
import { measureInProcess } from './in-process';
import type { InstanceTimes } from './instance';
import { type BenchCase, type BenchOptions, casesOf } from './options';
import { measureProcesses, type ProcessResult } from './processes';
import { openRival, type RivalOptions } from './rival';
import { STABLE_SHARE, windowSpread } from './stable-window';
import { vocabularyOf } from './vocabulary';

export interface BenchResult {
  readonly rows: Row[];
  /** Of the last combination. */
  readonly histogram: string[];
  /** What a reader should know of the numbers. */
  readonly notes: string[];
  readonly interrupted: boolean;
  readonly facts: { schema: 'bench'; cpu: string; tier: string; model: string; against?: string };
}

/** Measures every combination. */
export async function bench(options: BenchOptions): Promise<BenchResult> {
  using forms = new Forms(options.model);
  const cases = casesOf(options);
  const measurements: Measurement[] = [];
  const measurer = new Measurer(options, forms);
  for (const [i, each] of cases.entries()) {
    if (options.signal?.aborted) break;
    options.onCase?.(i, cases.length);
    measurements.push(await measurer.measure(each));
  }
  const report = isa();
  const last = measurements.at(-1);
  return {
    rows: measurements.map(({ row }) => row),
    histogram: measurements.length === 1 ? histogramLines(last!.latenciesMs) : [],
    notes: notesOf(measurements, cases.length, options),
    interrupted: options.signal?.aborted ?? false,
    facts: {
      schema: 'bench',
      cpu: report.cpu,
      tier: report.tier,
      model: options.model,
      ...(options.rival?.kind === 'model' ? { against: options.rival.model } : {}),
    },
  };
}

/** One combination, measured. */
export interface Measurement {
  readonly row: Row;
  readonly latenciesMs: readonly number[];
}

/** Measures combinations of one model; loads each form of it once. */
export class Measurer {
  private readonly models = new Map<string, Promise<LoadedModel>>();

  constructor(
    private readonly options: BenchOptions,
    private readonly forms: Forms,
  ) {}

  private get loading(): LoadOptions {
    const { sparse, embeddings, rounding, tune } = this.options;
    return {
      ...(sparse ? { sparse } : {}),
      ...(embeddings ? { embeddings } : {}),
      ...(rounding ? { rounding } : {}),
      ...(tune ? { tune } : {}),
    };
  }

  async measure(each: BenchCase): Promise<Measurement> {
    const path = await this.forms.path(each.precision as Form);
    const model = await this.load(path);
    const placements = this.place(each);
    const { iterations, warmup, stable, signal, processes, rival } = this.options;
    const how = { iterations, warmup, ...(stable === undefined ? {} : { stable }), ...(signal ? { signal } : {}) };
    if (rival) return this.alternate(each, model, rival, placements[0]!);
    if (processes) {
      const { packedFile } = model;
      const vocabulary = vocabularyOf(model);
      const task = { model: path, load: this.loading, packedFile, vocabulary, batch: each.batch, seqLen: each.seqLen, iterations, warmup };
      const results = await measureProcesses({ ...task, ...(stable === undefined ? {} : { stable }) }, placements, signal);
      return summary(
        each,
        placements,
        results.map(({ times }) => times),
        memoryOf(results),
      );
    }
    const feeds = benchFeeds(model.inputs, { ...each, vocabulary: vocabularyOf(model) });
    return summary(each, placements, await measureInProcess(model, placements, feeds, how));
  }

  private load(path: string): Promise<LoadedModel> {
    const known = this.models.get(path) ?? load(path, this.loading);
    this.models.set(path, known);
    return known;
  }

  /** One instance without pinning stays free of cores, as before anybody asks for placement. */
  private place({ instances, threads }: BenchCase): Placement[] {
    const { cores, mode, processes } = this.options;
    if (instances === 1 && !cores && !processes && mode !== 'throughput') return [{ threads: threads ?? isa().defaultThreads, cores: [] }];
    return placeInstances({
      instances,
      ...(threads === undefined ? {} : { threadsPerInstance: threads }),
      ...(cores ? { cores } : {}),
    });
  }

  /** The model and its rival in turn; the ratio is the median of paired ratios, because each pair ran one right after the other. */
  private async alternate(each: BenchCase, model: LoadedModel, rival: RivalOptions, placement: Placement): Promise<Measurement> {
    const { threads, cores } = placement;
    const { iterations, warmup, signal } = this.options;
    const feeds = benchFeeds(model.inputs, { ...each, vocabulary: vocabularyOf(model) });
    const session = await model.session({ threads, cores });
    const [own, theirs]: [number[], number[]] = [[], []];
    const timed = async (run: () => Promise<unknown>): Promise<number> => {
      const started = performance.now();
      await run();
      return performance.now() - started;
    };
    const peer = await openRival(rival, feeds, each, placement).catch(async (error: unknown) => {
      await session.close();
      throw error;
    });
    try {
      for (let i = -warmup; i < iterations && !signal?.aborted; i++) {
        const [a, b] = [await timed(() => session.run(feeds)), await timed(() => peer.run())];
        if (i < 0) continue;
        own.push(a);
        theirs.push(b);
      }
    } finally {
      await session.close();
      await peer.close();
    }
    const elapsedMs = own.reduce((sum, value) => sum + value, 0);
    const { row, latenciesMs } = summary(
      each,
      [{ threads, cores }],
      [{ latenciesMs: own, elapsedMs, interrupted: own.length < iterations }],
    );
    const other = latencyStatistics(theirs);
    const ratio = latencyStatistics(own.map((value, i) => theirs[i]! / value)).p50;
    const names: Row =
      rival.kind === 'onnxruntime' ? { ortP50: other.p50, ortMin: other.min } : { againstP50: other.p50, againstMin: other.min };
    return { row: { ...row, ...names, ratio }, latenciesMs };
  }
}

/** Latencies of all instances pooled, their throughputs summed. */
function summary(
  { batch, seqLen, precision }: BenchCase,
  placements: readonly Placement[],
  instances: readonly InstanceTimes[],
  memory: Record<string, number | null> = {},
): Measurement {
  const latenciesMs = instances.flatMap((each) => each.latenciesMs);
  const { p50, p90, p95, p99, p999, mean, sd, min, max, outliers, count } = latencyStatistics(latenciesMs);
  const histogram = latencyHistogram(latenciesMs);
  // Each instance by itself: pooled, the order in time would be lost.
  const spread = Math.max(...instances.map((each) => windowSpread(each.latenciesMs) ?? Number.NaN));
  const throughput = instances.reduce((sum, each) => sum + (each.latenciesMs.length * batch * 1000) / each.elapsedMs, 0);
  const { threads, cores } = placements[0]!;
  const row: Row = {
    precision,
    batch,
    seqLen,
    instances: placements.length,
    threads,
    cores: cores.length > 0 ? placements.map((each) => each.cores.join('+')).join(' ') : null,
    runs: count,
    p50,
    p90,
    p95,
    p99,
    p999,
    mean,
    sd,
    min,
    max,
    throughput,
    outliers,
    spread: Number.isNaN(spread) ? null : spread,
    stable: Number.isNaN(spread) ? null : spread <= STABLE_SHARE,
    interrupted: instances.some((each) => each.interrupted),
    histogram: histogram ? { ...histogram } : null,
    ...memory,
  };
  return { row, latenciesMs };
}

/** Memory of all processes together, in bytes. */
function memoryOf(results: readonly ProcessResult[]): Record<string, number | null> {
  const sum = (name: 'rss' | 'pss' | 'uss'): number | null =>
    results.reduce<number | null>((total, { memory }) => (total === null || memory === null ? null : total + memory[name]), 0);
  return { rss: sum('rss'), pss: sum('pss'), uss: sum('uss') };
}

function notesOf(measurements: readonly Measurement[], cases: number, { signal, iterations }: BenchOptions): string[] {
  const notes: string[] = [];
  if (signal?.aborted) notes.push(`interrupted: ${measurements.length} of ${cases} combinations, the last one with what it had measured`);
  const outliers = measurements.reduce((sum, { row }) => sum + Number(row['outliers']), 0);
  const runs = measurements.reduce((sum, { row }) => sum + Number(row['runs']), 0);
  if (outliers > 0) notes.push(`${outliers} of ${runs} runs lie beyond 1.5 interquartile ranges; they are counted in`);
  const unstable = measurements.filter(({ row }) => row['stable'] === false);
  if (unstable.length > 0) {
    const worst = Math.max(...unstable.map(({ row }) => Number(row['spread'])));
    notes.push(
      `not stable: three windows in a row differ by ${(worst * 100).toFixed(0)}% (at most ${STABLE_SHARE * 100}% is stable); more --iterations than ${iterations}, or --stable, may help`,
    );
  }
  const short = measurements.some(({ row }) => Number(row['runs']) < 1000);
  if (short) notes.push('P99.9 of fewer than 1000 runs is close to their maximum');
  return notes;
}
