import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { EngineError, saveFile } from '@neural-engine/core';
import { load, locate } from '@neural-engine/engine';
import { measureInProcess } from '../bench/in-process';
import { vocabularyOf } from '../bench/vocabulary';
import { evaluate } from '../evaluate';
import { benchFeeds } from '../feeds';
import { makeFolder, namesIn, statOf } from '../files';
import { writeNpy } from '../npz';
import { Forms } from '../precision';
import { readEnvironment } from './environment';
import { lineLogger, performanceLines } from './report-lines';

/** Where the original's launcher looks for latencies. */
const LATENCIES = 'all_latency';

/** The flags of the original's `run_executor.py`, with its defaults. */
export interface ExecutorOptions {
  readonly inputModel: string;
  readonly mode: string;
  readonly batchSize: number;
  readonly seqLen: number;
  readonly maxEvalSamples: number;
  readonly warmUp: number;
  readonly iteration: number;
  readonly tokenizerDir?: string;
  readonly dataDir: string;
  readonly datasetName: string;
  readonly logFile: string;
  /** Any text that is not empty counts as true, as in the original. */
  readonly dynamicQuantize?: string;
}

/** Prints what the script printed, in its order. */
export async function runExecutor(options: ExecutorOptions): Promise<void> {
  if (options.mode !== 'accuracy' && options.mode !== 'performance')
    throw new EngineError('E_USAGE', 'usage', `--mode=${options.mode}: expected accuracy or performance`);
  if (options.warmUp >= options.iteration)
    throw new EngineError('E_USAGE', 'usage', `--warm_up=${options.warmUp} leaves none of the ${options.iteration} iterations to measure`);
  const model = checkedModel(options.inputModel);
  const line = lineLogger(options.logFile);
  if (options.mode === 'performance') makeFolder(LATENCIES);
  using forms = new Forms(model);
  const path = await forms.path(options.dynamicQuantize ? 'dynamic-int8' : 'as stored');
  await (options.mode === 'accuracy' ? accuracy(path, options, line) : performance(path, options, line));
}

/** A folder must hold one .yaml and one .bin and nothing that could be meant instead. */
function checkedModel(path: string): string {
  const located = locate(path);
  if (located.kind !== 'ir') return path;
  const names = namesIn(path).filter((name) => /\.(yaml|bin)$/.test(name));
  if (names.length !== 2)
    throw new EngineError('E_USAGE', 'usage', `"${path}" should hold one .yaml and one .bin file, it holds ${names.join(', ')}`);
  return path;
}

async function performance(path: string, options: ExecutorOptions, line: (text: string) => void): Promise<void> {
  const { batchSize: batch, seqLen, warmUp, iteration } = options;
  const { threads } = readEnvironment();
  const model = await load(path);
  line('Start executor ......');
  const feeds = benchFeeds(model.inputs, { batch, seqLen, vocabulary: Math.min(128, vocabularyOf(model)) });
  const placement = { threads: threads ?? (await defaultThreads()), cores: [] };
  const [times] = await measureInProcess(model, [placement], feeds, { warmup: warmUp, iterations: iteration - warmUp });
  line('End executor ......');
  for (const text of performanceLines(times!.latenciesMs, batch, seqLen)) line(text);
  await keepLatencies(options.logFile, times!.latenciesMs, batch);
}

const defaultThreads = async (): Promise<number> => (await import('@neural-engine/kernels')).isa().defaultThreads;

/** Milliseconds a sample of each iteration. */
async function keepLatencies(logFile: string, latenciesMs: readonly number[], batch: number): Promise<void> {
  const data = Float64Array.from(latenciesMs, (value) => value / batch);
  // As there, a later run replaces what an earlier one left.
  await saveFile(join(LATENCIES, `${basename(logFile)}.npy`), writeNpy({ dtype: 'f64', dims: [data.length], data }), { force: true });
}

async function accuracy(path: string, options: ExecutorOptions, line: (text: string) => void): Promise<void> {
  const { threads } = readEnvironment();
  line('Load dataset ......');
  const data = dataFile(options.dataDir);
  line('Load metric ......');
  line('Start engine ......');
  const { task, figures } = await evaluate(path, {
    task: options.datasetName,
    data,
    batchSize: options.batchSize,
    engine: 'neural-engine',
    ...(threads === undefined ? {} : { threads }),
    ...(options.maxEvalSamples > 0 ? { limit: options.maxEvalSamples } : {}),
    ...(options.tokenizerDir ? { tokenizer: options.tokenizerDir } : {}),
  });
  line('Post process ......');
  line('Compute metrics ......');
  if (task !== 'squad') {
    line(`Accuracy: ${figures['accuracy']}`);
    return;
  }
  line(`F1 Accuracy: ${figures['f1']}`);
  line(`Exact Match: ${figures['exactMatch']}`);
}

/** The data set of a folder: its one JSON file. */
function dataFile(path: string): string {
  const stats = statOf(path);
  if (!stats)
    throw new EngineError('E_NOT_FOUND', 'read', `there is no data at "${path}"; --data_dir names a file or a folder`, { where: path });
  if (!stats.isDirectory()) return path;
  const found = namesIn(path).filter(
    (name) => name.endsWith('.json') && !['dataset_dict.json', 'dataset_info.json', 'state.json'].includes(name),
  );
  if (found.length === 1) return join(path, found[0]!);
  const hint = existsSync(join(path, 'dataset_dict.json')) ? '; data sets that Hugging Face saved as Arrow files are not read' : '';
  throw new EngineError('E_DATASET', 'read', `"${path}" should hold one JSON file in SQuAD format, it holds ${found.length}${hint}`, {
    where: path,
  });
}
