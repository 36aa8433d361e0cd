import { appendFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, OutputLock } from '@neural-engine/core';
import { demoModelDirectory, demoModelPath } from '@neural-engine/demo-model';
import { load, type Placement, placeInstances, writeIr } from '@neural-engine/engine';
import { isa } from '@neural-engine/kernels';
import { requirePrecision } from '@neural-engine/quantizer';
import { measureProcesses } from '../bench/processes';
import { quantizeModel } from '../quantize/quantize';
import { performanceLines } from './report-lines';
import { runExecutor } from './run-executor';

/** The flags of the original's shell driver. */
export interface OriginalPipelineOptions {
  readonly logName: string;
  readonly output: string;
  readonly dataset: string;
  readonly dataDir: string;
  readonly seqLen: number;
  readonly model?: string;
  readonly precision: string;
  readonly batchSize: number;
  readonly warmUp: number;
  readonly iteration: number;
  readonly mode: string;
}

const FOLDER = 'model_and_tokenizer';

/**
 * Prepares the model of a precision under `./model_and_tokenizer`, unless it is there, and runs it as the driver did.
 *
 * @returns the exit code: 1 when an instance of the throughput mode failed.
 */
export async function runOriginalPipeline(options: OriginalPipelineOptions): Promise<number> {
  if (!['accuracy', 'latency', 'throughput'].includes(options.mode))
    throw new EngineError('E_USAGE', 'usage', `--mode=${options.mode}: expected accuracy, latency or throughput`);
  const model = await prepared(options);
  mkdirSync(options.output, { recursive: true });
  const stem = join(options.output, options.logName);
  if (options.mode === 'throughput') return throughput(model, stem, options);
  await runExecutor({
    inputModel: model,
    mode: options.mode === 'accuracy' ? 'accuracy' : 'performance',
    batchSize: options.batchSize,
    seqLen: options.seqLen,
    maxEvalSamples: -1,
    warmUp: options.warmUp,
    iteration: options.iteration,
    dataDir: options.dataDir,
    datasetName: options.dataset,
    logFile: `${stem}-${options.mode}.log`,
    tokenizerDir: existsSync(join(FOLDER, 'tokenizer.json')) ? FOLDER : demoModelDirectory(),
  });
  return 0;
}

/** The precision's ONNX file, or the IR that an earlier call made; else made now from the fp32 model. */
async function prepared({ precision: name, model }: OriginalPipelineOptions): Promise<string> {
  const precision = requirePrecision(name.replace('_', '-'), '--precision');
  const file = join(FOLDER, `${name}-model.onnx`);
  if (existsSync(file)) return file;
  const fp32 = model ?? (existsSync(join(FOLDER, 'fp32-model.onnx')) ? join(FOLDER, 'fp32-model.onnx') : demoModelPath());
  if (precision === 'fp32') return fp32;
  const folder = join(FOLDER, `${name}-ir`);
  if (existsSync(folder)) return folder;
  using lock = OutputLock.take(folder, 'folder');
  const { graph } = await quantizeModel(fp32, { precision, samples: '512' });
  await writeIr(graph, folder, { lock });
  process.stderr.write(`${name} is prepared in ${folder}\n`);
  return folder;
}

/** A process for every four cores of one socket, a log for each, and one line that says how each ended. */
async function throughput(model: string, stem: string, options: OriginalPipelineOptions): Promise<number> {
  const { batchSize: batch, seqLen, warmUp, iteration } = options;
  if (warmUp >= iteration)
    throw new EngineError('E_USAGE', 'usage', `--warm_up=${warmUp} leaves none of the ${iteration} iterations to measure`);
  const placements = placeInstances({ instances: 'auto' });
  const cores = isa().physicalCpus.length;
  const logOf = (j: number): string => `${stem}-throughput-${cores}-${placements[0]!.threads}-${j}.log`;
  for (const j of placements.keys()) writeFileSync(logOf(j), '');
  await load(model); // packs once, so that the processes only map
  const task = { model, load: {}, batch, seqLen, warmup: warmUp, iterations: iteration - warmUp };
  const outcome = await measureProcesses(task, placements).catch((error: unknown) => error as Error);
  if (outcome instanceof Error) {
    for (const [j, placement] of placements.entries())
      say(`process ${j} on cores ${coresOf(placement)} failed: ${outcome.message}`, logOf(j));
    process.stdout.write('Benchmark status: FAILURE\n');
    return 1;
  }
  let total = 0;
  for (const [j, { times }] of outcome.entries()) {
    const lines = performanceLines(times.latenciesMs, batch, seqLen);
    appendFileSync(logOf(j), `${lines.join('\n')}\n`);
    total += (times.latenciesMs.length * batch * 1000) / times.elapsedMs;
    say(`process ${j} on cores ${coresOf(placements[j]!)} succeeded with exit code 0: ${lines.at(-1)}`, logOf(j));
  }
  process.stdout.write(`Throughput of ${outcome.length} instances: ${total.toFixed(3)} samples/sec\nBenchmark status: SUCCESS\n`);
  return 0;
}

const coresOf = ({ cores, threads }: Placement): string => (cores.length > 0 ? cores.join(',') : `any ${threads}`);

function say(line: string, logFile: string): void {
  process.stdout.write(`${line}\n`);
  appendFileSync(logFile, `${line}\n`);
}
