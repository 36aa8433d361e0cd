import { EngineError } from '@neural-engine/core';
import { locate } from '@neural-engine/engine';
import { isa } from '@neural-engine/kernels';
import { integerList, positiveInteger } from '../context';
import { embeddingsOf } from '../embeddings';
import { onInterrupt } from '../interrupt';
import { progress } from '../output/progress';
import type { Column, Row } from '../output/table';
import { Outputs } from '../outputs';
import { precisionList } from '../precision';
import { roundingOf } from '../rounding';
import { sparsePolicy } from '../sparse';
import { tuneOf } from '../tune';
import { bench } from './bench';
import { benchColumns, shownRows } from './columns';
import { type BenchOptions, defaultWarmup, MODES, type Mode } from './options';
import { ortFile } from './ort';
import type { RivalOptions } from './rival';
import { LIMITED, type LimitedBy, latencyLimit, launcherCsv, replay, search, searchDefaults } from './search';
import { type SweepPicture, sweepPage, sweepSvg } from './sweep-page';

/** The flags of `ne bench`, as they were typed. */
export interface BenchFlags {
  readonly mode?: string;
  readonly batchSize?: string;
  readonly seqLen: string;
  readonly threads?: string;
  readonly threadsPerInstance?: string;
  readonly instances?: string;
  readonly cores?: string;
  readonly processes?: boolean;
  readonly precision?: string;
  readonly iterations: string;
  readonly warmup?: string;
  readonly stable?: string;
  readonly latencyLimit?: string;
  readonly latencyBy: string;
  readonly engine: string;
  readonly against?: string;
  readonly againstSparse?: string;
  readonly sparse?: string;
  readonly embeddings?: string;
  readonly rounding?: string;
  readonly tune?: string;
  readonly svg?: string;
  readonly html?: string;
  readonly outputFile?: string;
  readonly force?: boolean;
}

/** What the command prints. */
export interface BenchOutput {
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  readonly facts: Readonly<Record<string, unknown>>;
  readonly histogram: readonly string[];
  readonly notes: readonly string[];
  readonly interrupted: boolean;
}

/** Runs `ne bench`: a sweep, or a search when a latency limit is given; draws what is asked for. */
export async function benchCommand(model: string, title: string, flags: BenchFlags): Promise<BenchOutput> {
  const limit = flags.latencyLimit === undefined ? undefined : { ms: latencyLimit(flags.latencyLimit), by: limitedBy(flags.latencyBy) };
  locate(model); // before anything is said of it
  const options = parseFlags(model, flags);
  const wanted = [
    { flag: '--svg', path: flags.svg },
    { flag: '--html', path: flags.html },
    { flag: '--output-file', path: flags.outputFile },
  ];
  using outputs = await Outputs.claim(wanted, [model, flags.against], flags.force);
  const { signal, release } = onInterrupt();
  let bar: ReturnType<typeof progress> | undefined;
  const onCase = (done: number, total: number): void => {
    if (total > 1) bar ??= progress('measuring', total);
    bar?.update(done);
  };
  try {
    const { cpu, tier } = isa();
    process.stderr.write(`${title} on ${cpu}, ${tier}\n`);
    const result = limit ? await searched({ ...options, signal, onCase }, limit) : await swept({ ...options, signal, onCase });
    bar?.stop();
    bar = undefined;
    const picture: SweepPicture = {
      rows: result.rows,
      title: `Throughput and latency of ${title}`,
      subtitle: `${cpu}, ${tier}`,
      ...result.picture,
      ...(limit ? { limit } : {}),
    };
    await outputs.save(flags.svg, () => sweepSvg(picture));
    await outputs.save(flags.html, () => sweepPage(picture));
    await outputs.save(flags.outputFile, () => launcherCsv(options, result.rows, picture.best));
    return { ...result, rows: shownRows(result.rows), columns: benchColumns(result.rows), interrupted: signal.aborted };
  } finally {
    bar?.stop();
    release();
  }
}

type Measured = Omit<BenchOutput, 'columns' | 'interrupted'> & { picture: { best?: Row | undefined } };

async function swept(options: BenchOptions): Promise<Measured> {
  const { rows, facts, histogram, notes } = await bench(options);
  return { rows, facts, histogram, notes, picture: {} };
}

async function searched(options: BenchOptions, limit: { ms: number; by: LimitedBy }): Promise<Measured> {
  const { rows, best, skipped } = await search(options, limit.ms, limit.by);
  const { cpu, tier } = isa();
  const within = `${limit.by} ≤ ${limit.ms} ms`;
  const notes = [
    ...(skipped > 0 ? [`${skipped} combinations were left out: a smaller batch was over the limit already`] : []),
    best
      ? `best within ${within}: ${Number(best['throughput']).toFixed(1)} samples/s; again with\n  ${replay(options, best)}`
      : `no combination stays within ${within}`,
  ];
  const facts = { schema: 'bench', cpu, tier, model: options.model, limit, best: best ?? null };
  return { rows, facts, histogram: [], notes, picture: { best } };
}

function parseFlags(model: string, flags: BenchFlags): BenchOptions {
  const defaults = flags.latencyLimit === undefined ? { batchSizes: [1], instances: undefined } : searchDefaults();
  const threads = flags.threadsPerInstance ?? flags.threads;
  const iterations = positiveInteger('--iterations', flags.iterations);
  const instances = flags.instances ? flags.instances.split(',').flatMap(instanceCounts) : flags.mode ? undefined : defaults.instances;
  const rival = rivalOf(model, flags);
  if (rival && (instances?.some((count) => count !== 1) || flags.processes || flags.mode === 'throughput'))
    throw new EngineError(
      'E_USAGE',
      'usage',
      `${rival.flag} compares one instance with one; leave --instances, --processes and --mode throughput out`,
    );
  if (rival && flags.stable)
    throw new EngineError('E_USAGE', 'usage', `--stable does not go with ${rival.flag}, which runs each --iterations times in turn`);
  if (flags.threads && flags.threadsPerInstance)
    throw new EngineError('E_USAGE', 'usage', '--threads and --threads-per-instance mean the same; leave one out');
  return {
    model,
    batchSizes: flags.batchSize ? integers('--batch-size', flags.batchSize) : defaults.batchSizes,
    seqLens: integers('--seq-len', flags.seqLen),
    iterations,
    warmup: flags.warmup === undefined ? defaultWarmup(iterations) : whole('--warmup', flags.warmup),
    ...(rival ? { rival: rival.options } : {}),
    ...embeddingsOf(flags.embeddings),
    ...tuneOf(flags.tune),
    ...(threads ? { threads: integers('--threads', threads, 1024) } : {}),
    ...(instances ? { instances } : {}),
    ...(flags.cores ? { cores: integerList('--cores', flags.cores) } : {}),
    ...(flags.processes ? { processes: true } : {}),
    ...(flags.precision ? { precisions: precisionList('--precision', flags.precision) } : {}),
    ...(flags.mode ? { mode: modeOf(flags.mode) } : {}),
    ...(flags.stable ? { stable: percent('--stable', flags.stable) } : {}),
    ...(flags.sparse ? { sparse: sparsePolicy(flags.sparse) } : {}),
    ...roundingOf(flags.rounding),
  };
}

/** What to run in turn with the model, and the flag that asks for it. @throws {EngineError} E_USAGE an unknown engine, or two rivals. */
function rivalOf(model: string, flags: BenchFlags): { flag: string; options: RivalOptions } | undefined {
  const { engine, against, againstSparse } = flags;
  if (engine !== 'neural-engine' && engine !== 'onnxruntime')
    throw new EngineError('E_USAGE', 'usage', `--engine ${engine}: expected neural-engine or onnxruntime`);
  const flag = against !== undefined ? '--against' : againstSparse !== undefined ? '--against-sparse' : undefined;
  if (engine === 'onnxruntime') {
    if (flag) throw new EngineError('E_USAGE', 'usage', `${flag} and --engine onnxruntime are two rivals; leave one out`);
    if (flags.precision && flags.precision !== 'fp32')
      throw new EngineError(
        'E_USAGE',
        'usage',
        `--precision ${flags.precision}: --engine onnxruntime runs the file as it is; leave one out`,
      );
    return { flag: '--engine onnxruntime', options: { kind: 'onnxruntime', file: ortFile(model) } };
  }
  if (!flag) return undefined;
  const sparse = againstSparse ?? flags.sparse;
  // Another model may be compiled already; the same one is compiled alike.
  const rounding = against === undefined ? roundingOf(flags.rounding) : {};
  const load = {
    ...embeddingsOf(flags.embeddings),
    ...rounding,
    ...tuneOf(flags.tune),
    ...(sparse ? { sparse: sparsePolicy(sparse) } : {}),
  };
  return { flag, options: { kind: 'model', model: against ?? model, load } };
}

const instanceCounts = (part: string): (number | 'auto')[] => (part.trim() === 'auto' ? ['auto'] : integers('--instances', part, 1024));

function integers(flag: string, text: string, most = 1_000_000): number[] {
  return integerList(flag, text).map((value) => positiveInteger(flag, String(value), most));
}

const whole = (flag: string, text: string): number => (text.trim() === '0' ? 0 : positiveInteger(flag, text));

function percent(flag: string, text: string): number {
  const value = Number(text.replace(/%$/, ''));
  if (!(value > 0 && value <= 100)) throw new EngineError('E_USAGE', 'usage', `${flag} ${text}: expected per cent, such as 5`);
  return value / 100;
}

function modeOf(text: string): Mode {
  if (!(MODES as readonly string[]).includes(text))
    throw new EngineError('E_USAGE', 'usage', `--mode ${text}: expected ${MODES.join(' or ')}`);
  return text as Mode;
}

function limitedBy(text: string): LimitedBy {
  if (!(LIMITED as readonly string[]).includes(text))
    throw new EngineError('E_USAGE', 'usage', `--latency-by ${text}: expected one of ${LIMITED.join(', ')}`);
  return text as LimitedBy;
}
