import { EngineError } from '@neural-engine/core';
import { type LoadedModel, type LoadOptions, load } from '@neural-engine/engine';
import { isa } from '@neural-engine/kernels';
import { benchFeeds } from '../feeds';
import { histogramLines, latencyStatistics } from '../output/statistics';
import type { Column, Row } from '../output/table';
import { openOrt } from './ort';

export interface BenchOptions {
  readonly model: string;
  readonly batchSizes: readonly number[];
  readonly seqLens: readonly number[];
  readonly threads?: readonly number[];
  readonly iterations: number;
  readonly warmup: number;
  /** Run the same file in ONNX Runtime as well, in turn. */
  readonly onnxruntime: boolean;
  readonly sparse?: string;
}

const ms = (key: string, title: string): Column => ({ key, title, digits: 3 });

export const BENCH_COLUMNS: readonly Column[] = [
  { key: 'batch', title: 'batch' },
  { key: 'seqLen', title: 'tokens' },
  { key: 'threads', title: 'threads' },
  ms('p50', 'P50 ms'),
  ms('p90', 'P90 ms'),
  ms('p99', 'P99 ms'),
  ms('mean', 'mean ms'),
  ms('sd', '± ms'),
  ms('min', 'min ms'),
  { key: 'throughput', title: 'samples/s', digits: 1 },
  { key: 'outliers', title: 'outliers' },
];

export const ORT_COLUMNS: readonly Column[] = [
  ms('ortP50', 'ORT P50 ms'),
  ms('ortMin', 'ORT min ms'),
  { key: 'ratio', title: 'times as fast', digits: 2 },
];

export interface BenchResult {
  readonly rows: Row[];
  readonly histogram: string[];
  readonly facts: { schema: 'bench'; cpu: string; tier: string; model: string };
}

const POLICIES = ['auto', 'threshold', 'always', 'never'];

/** Measures every combination. The ratio is the median of paired ratios: each pair ran one right after the other. */
export async function bench(options: BenchOptions): Promise<BenchResult> {
  if (options.sparse !== undefined && !POLICIES.includes(options.sparse))
    throw new EngineError('E_USAGE', 'usage', `--sparse ${options.sparse}: expected one of ${POLICIES.join(', ')}`);
  const model = await load(options.model, options.sparse ? { sparse: options.sparse as NonNullable<LoadOptions['sparse']> } : {});
  const report = isa();
  const rows: Row[] = [];
  let histogram: string[] = [];
  for (const threads of options.threads ?? [report.defaultThreads]) {
    for (const batch of options.batchSizes) {
      for (const seqLen of options.seqLens) {
        const measured = await measure(model, { ...options, batch, seqLen, threads });
        rows.push(measured.row);
        histogram = measured.histogram;
      }
    }
  }
  return {
    rows,
    histogram: rows.length === 1 ? histogram : [],
    facts: { schema: 'bench', cpu: report.cpu, tier: report.tier, model: options.model },
  };
}

async function measure(
  model: LoadedModel,
  options: Omit<BenchOptions, 'threads'> & { batch: number; seqLen: number; threads: number },
): Promise<{ row: Row; histogram: string[] }> {
  const { batch, seqLen, threads } = options;
  const feeds = benchFeeds(model.inputs, { batch, seqLen, vocabulary: vocabularyOf(model) });
  const session = await model.session({ threads });
  const peer = options.onnxruntime ? await openOrt(onnxFileOf(options.model), threads) : undefined;
  const [own, theirs]: [number[], number[]] = [[], []];
  const timed = async (run: () => Promise<unknown>): Promise<number> => {
    const started = performance.now();
    await run();
    return performance.now() - started;
  };
  try {
    for (let i = -options.warmup; i < options.iterations; i++) {
      const [a, b] = [await timed(() => session.run(feeds)), peer ? await timed(() => peer.run(feeds)) : 0];
      if (i < 0) continue;
      own.push(a);
      theirs.push(b);
    }
  } finally {
    await session.close();
    await peer?.close();
  }
  const { p50, p90, p99, mean, sd, min, outliers } = latencyStatistics(own);
  const base = { batch, seqLen, threads: session.threads, p50, p90, p99, mean, sd, min, throughput: (batch * 1000) / mean, outliers };
  if (!peer) return { row: base, histogram: histogramLines(own) };
  const other = latencyStatistics(theirs);
  const ratio = latencyStatistics(own.map((value, i) => theirs[i]! / value)).p50;
  return { row: { ...base, ortP50: other.p50, ortMin: other.min, ratio }, histogram: histogramLines(own) };
}

/** Rows of the word table, so that random ids are valid; 1000 where there is none. */
function vocabularyOf(model: LoadedModel): number {
  const { nodes, tables } = model.runtime.prepared;
  for (const node of nodes) if (node.kind === 'panel' && node.op.op === 'embed') return tables.get(node.op.word)!.dims[0]!;
  return 1000;
}

function onnxFileOf(path: string): string {
  if (path.endsWith('.onnx')) return path;
  return `${path}/model.onnx`;
}
