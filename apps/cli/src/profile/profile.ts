import type { Feeds, LoadedModel, Session } from '@neural-engine/engine';
import { type InstructionRate, instructionRates, isa, rateOfKernel } from '@neural-engine/kernels';
import type { Profiled } from '@neural-engine/runtime';
import { vocabularyOf } from '../bench/vocabulary';
import { benchFeeds } from '../feeds';
import { percentile } from '../output/statistics';
import type { Column, Row } from '../output/table';
import { BARRIER, type LayerTime, type LayerWork, layerTimes, layerWork } from './rows';
import { WHAT_IF, whatIf } from './what-if';

export interface ProfileOptions {
  readonly model: string;
  readonly batch: number;
  readonly seqLen: number;
  readonly threads?: number;
  readonly iterations: number;
  readonly warmup: number;
  readonly sparse?: string;
  readonly embeddings?: string;
  readonly tune?: string;
}

export type ProfileCounts = Pick<ProfileOptions, 'batch' | 'seqLen' | 'iterations' | 'warmup'>;

export const PROFILE_COLUMNS: readonly Column[] = [
  { key: 'layer', title: 'layer', align: 'left' },
  { key: 'kernel', title: 'kernel', align: 'left' },
  { key: 'ms', title: 'ms', digits: 3 },
  { key: 'percent', title: '%', digits: 1 },
  { key: 'gmacs', title: 'GMAC/s', digits: 1 },
  { key: 'rateShare', title: '% of CPU', digits: 1 },
  { key: 'zerosUsed', title: 'zeros used %', digits: 1 },
  { key: 'mebibytes', title: 'MiB', digits: 2 },
  ...WHAT_IF.map((zeros) => ({ key: `at${zeros * 100}`, title: `ms at ${zeros * 100}%`, digits: 3 })),
];

export interface ProfileResult {
  /** A layer each, in the order in which they run; the waiting at barriers is the last. */
  readonly rows: Row[];
  readonly work: ReadonlyMap<string, LayerWork>;
  /** Every profiled run. */
  readonly runs: readonly Profiled[];
  readonly facts: Readonly<Record<string, unknown>> & { readonly wallMs: number; readonly unprofiledMs: number };
}

/** Profiles a model on random full-length sequences. */
export function profileSession(model: LoadedModel, session: Session, options: ProfileCounts): Promise<ProfileResult> {
  const { batch, seqLen } = options;
  return profileFeeds(model, session, benchFeeds(model.inputs, { batch, seqLen, vocabulary: vocabularyOf(model) }), options);
}

/** Runs apart from any benchmark, because measuring each step costs a few per cent; plain runs in between say how much. */
export async function profileFeeds(model: LoadedModel, session: Session, feeds: Feeds, options: ProfileCounts): Promise<ProfileResult> {
  const { batch, seqLen, iterations, warmup } = options;
  for (let i = 0; i < warmup; i++) await session.run(feeds);
  const [runs, plain]: [Profiled[], number[]] = [[], []];
  for (let i = 0; i < iterations; i++) {
    runs.push(await session.profile(feeds));
    const started = performance.now();
    await session.run(feeds);
    plain.push(performance.now() - started);
  }
  const rates = instructionRates();
  const work = layerWork(model, runs[0]!);
  const rows = medianRows(runs).map((time) => rowOf(time, work.get(time.layer), rates, session.threads));
  const total = rows.reduce((sum, row) => sum + Number(row['ms']), 0);
  const { cpu, tier } = isa();
  return {
    rows: rows.map((row) => ({ ...row, percent: (Number(row['ms']) / total) * 100 })),
    work,
    runs,
    facts: {
      schema: 'profile',
      cpu,
      tier,
      threads: session.threads,
      batch,
      seqLen,
      iterations,
      wallMs: median(runs.map(({ profile }) => profile.wallNs / 1e6)),
      unprofiledMs: median(plain),
      rates,
    },
  };
}

const median = (values: readonly number[]): number => percentile(Float64Array.from(values).sort(), 0.5);

/** The median time of each layer over all runs. */
function medianRows(runs: readonly Profiled[]): LayerTime[] {
  const times = runs.map(layerTimes);
  return times[0]!.map((first, i) => ({ ...first, ms: median(times.map((each) => each[i]!.ms)) }));
}

function rowOf({ layer, steps, ms }: LayerTime, work: LayerWork | undefined, rates: readonly InstructionRate[], threads: number): Row {
  const choice = work?.choice;
  const kernel = work?.kernel ?? choice?.kernel ?? work?.op ?? steps.join('+');
  const isSparse = choice?.sparse ?? false;
  const gmacs = work && work.megaMacs > 0 ? work.megaMacs / ms : null;
  // Tiles multiply by the zeros too: their sparse weights are only stored without them.
  const skips = isSparse && !kernel.endsWith('_amx');
  const executed = gmacs === null ? null : gmacs * (skips ? 1 - choice!.zeroRatio : 1);
  const rate = rateOfKernel(kernel, rates)?.gmacs;
  return {
    layer,
    kernel,
    steps: steps.join('+'),
    ms,
    // Per thread: time is shared by all of them.
    gmacs,
    rateShare: executed === null || rate === undefined ? null : (executed / threads / rate) * 100,
    zeros: choice ? choice.zeroRatio : null,
    zerosUsed: choice ? (isSparse ? choice.zeroRatio * 100 : 0) : null,
    reason: choice?.reason ?? null,
    bytes: work?.bytes ?? null,
    mebibytes: work ? work.bytes / 2 ** 20 : null,
    ...Object.fromEntries(WHAT_IF.map((zeros) => [`at${zeros * 100}`, layer === BARRIER ? ms : whatIf(ms, choice, zeros)])),
  };
}
