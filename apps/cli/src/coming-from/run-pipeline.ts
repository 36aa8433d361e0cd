import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EngineError, saveFile } from '@neural-engine/core';
import { demoModelPath } from '@neural-engine/demo-model';
import { load, type Placement, placeInstances } from '@neural-engine/engine';
import { isa } from '@neural-engine/kernels';
import { readModel } from '@neural-engine/onnx';
import { type Precision, requirePrecision } from '@neural-engine/quantizer';
import { measureProcesses } from '../bench/processes';
import { vocabularyOf } from '../bench/vocabulary';
import { appendText, makeFolder, readBytes } from '../files';
import { Forms } from '../precision';
import { quantizeToOnnx } from '../quantize/quantize-onnx';
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
const FP32 = join(FOLDER, 'fp32-model.onnx');
const TOKENIZER_FILES = ['tokenizer.json', 'vocab.txt'];
/** What else the tokenizer and the pipelines look for beside a model. */
const COMPANIONS = [...TOKENIZER_FILES, 'tokenizer_config.json', 'special_tokens_map.json', 'config.json'];

/**
 * Prepares the model of a precision under `./model_and_tokenizer`, unless it is there, and runs it as the driver did.
 *
 * @returns the exit code: 1 when an instance of the throughput mode failed.
 */
export async function runOriginalPipeline(options: OriginalPipelineOptions): Promise<number> {
  if (!['accuracy', 'latency', 'throughput'].includes(options.mode))
    throw new EngineError('E_USAGE', 'usage', `--mode=${options.mode}: expected accuracy, latency or throughput`);
  const precision = requirePrecision(options.precision.replace('_', '-'), '--precision');
  makeFolder(options.output);
  const model = await prepared(precision, options);
  process.stderr.write(`running ${model}\n`);
  const stem = join(options.output, options.logName);
  const dynamic = precision === 'dynamic-int8';
  if (options.mode === 'throughput') {
    using forms = new Forms(model);
    return await throughput(await forms.path(dynamic ? precision : 'as stored'), stem, options);
  }
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
    tokenizerDir: TOKENIZER_FILES.some((name) => existsSync(join(FOLDER, name))) ? FOLDER : dirname(model),
    ...(dynamic ? { dynamicQuantize: 'True' } : {}),
  });
  return 0;
}

/**
 * The precision's ONNX file, made now from the fp32 model where it is not there. Ranges of dynamic_int8 are found at run time: it starts from
 * the fp32 file, as there.
 *
 * @throws {EngineError} E_USAGE the file that is there was not made from the model that is named.
 */
async function prepared(precision: Precision, { precision: name, model }: OriginalPipelineOptions): Promise<string> {
  const output = join(FOLDER, `${name}-model.onnx`);
  if (precision === 'fp32' || precision === 'dynamic-int8') return sourceOf(model);
  if (existsSync(output)) {
    if (model !== undefined && existsSync(model)) await refuseOther(output, model);
    return output;
  }
  const fp32 = await sourceOf(model);
  await keepBeside(fp32);
  const metadata = new Map([[MADE_FROM, digestOf(await readBytes(fp32))]]);
  await quantizeToOnnx(fp32, { precision, samples: '512', attention: precision === 'int8', output, metadata });
  process.stderr.write(`${name} is prepared in ${output}\n`);
  return output;
}

/** In the metadata of a prepared file: the digest of the file that it was made from. */
const MADE_FROM = 'neural_engine.made_from';

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function refuseOther(prepared: string, model: string): Promise<void> {
  const { metadata } = await readModel(prepared);
  if (metadata.get(MADE_FROM) === digestOf(await readBytes(model))) return;
  throw new EngineError(
    'E_USAGE',
    'usage',
    `--model=${model}: ${prepared} was not made from it; remove that file, or leave --model out to run it`,
  );
}

/**
 * What a precision is made from: the file that `--model` names, else the folder's fp32 file, else the embedded model, of which the folder then
 * gets a copy. The original's scripts name a model of the Hugging Face hub, which they fetched and exported; here that stands for the
 * exported file.
 *
 * @throws {EngineError} E_NOT_FOUND there is neither the file that is named nor an fp32 file in the folder.
 */
async function sourceOf(model: string | undefined): Promise<string> {
  if (model !== undefined && existsSync(model)) return model;
  if (existsSync(FP32)) return FP32;
  if (model !== undefined)
    throw new EngineError(
      'E_NOT_FOUND',
      'read',
      `--model=${model}: there is no such file, and models are not fetched; export it as ONNX and save it as ${FP32}`,
      { where: model },
    );
  await keepBeside(demoModelPath());
  await saveFile(FP32, await readBytes(demoModelPath()));
  process.stderr.write(`${FP32} is a copy of the embedded model\n`);
  return FP32;
}

/** Makes the folder, with the tokenizer that lies beside a model unless it has one, because the next commands look for it there. */
async function keepBeside(model: string): Promise<void> {
  makeFolder(FOLDER);
  if (TOKENIZER_FILES.some((name) => existsSync(join(FOLDER, name)))) return;
  for (const name of COMPANIONS) {
    const [from, to] = [join(dirname(model), name), join(FOLDER, name)];
    if (existsSync(from) && !existsSync(to)) await saveFile(to, await readBytes(from));
  }
}

/** A process for every four cores of one socket, a log for each, and one line that says how each ended. */
async function throughput(model: string, stem: string, options: OriginalPipelineOptions): Promise<number> {
  const { batchSize: batch, seqLen, warmUp, iteration } = options;
  if (warmUp >= iteration)
    throw new EngineError('E_USAGE', 'usage', `--warm_up=${warmUp} leaves none of the ${iteration} iterations to measure`);
  const placements = placeInstances({ instances: 'auto' });
  const cores = isa().physicalCpus.length;
  const { threads } = placements[0]!;
  // Numbered by the first core of each, as there.
  const logOf = (j: number): string => `${stem}-throughput-${cores}-${threads}-${j * threads}.log`;
  for (const j of placements.keys()) await saveFile(logOf(j), '', { force: true });
  const loaded = await load(model); // packs once, so that the processes only map
  const { packedFile } = loaded;
  const vocabulary = vocabularyOf(loaded);
  const task = { model, load: {}, packedFile, vocabulary, batch, seqLen, warmup: warmUp, iterations: iteration - warmUp };
  const outcome = await measureProcesses(task, placements).catch((error: unknown) => error as Error);
  if (outcome instanceof Error) {
    for (const [j, placement] of placements.entries())
      say(`Process ${j} on cores ${coresOf(placement)} failed: ${outcome.message}`, logOf(j));
    process.stdout.write('Benchmark process status: FAILURE\n');
    return 1;
  }
  let total = 0;
  for (const [j, { times }] of outcome.entries()) {
    const lines = performanceLines(times.latenciesMs, batch, seqLen);
    appendText(logOf(j), `${lines.join('\n')}\n`);
    total += (times.latenciesMs.length * batch * 1000) / times.elapsedMs;
    say(`Process ${j} on cores ${coresOf(placements[j]!)} succeeded with exit code 0: ${lines.at(-1)}`, logOf(j));
  }
  process.stdout.write(`Throughput of ${outcome.length} instances: ${total.toFixed(3)} samples/sec\nBenchmark process status: SUCCESS\n`);
  return 0;
}

const coresOf = ({ cores, threads }: Placement): string => (cores.length > 0 ? cores.join(',') : `any ${threads}`);

function say(line: string, logFile: string): void {
  process.stdout.write(`${line}\n`);
  appendText(logFile, `${line}\n`);
}
