import { EngineError } from '@neural-engine/core';
import { demoSamples } from '@neural-engine/demo-model';
import { type LoadOptions, type Located, load, locate, type ModelSource, pipeline, tokenizerOf } from '@neural-engine/engine';
import { isa } from '@neural-engine/kernels';
import type { Precision } from '@neural-engine/quantizer';
import type { Tokenizer } from '@neural-engine/text';
import { type OrtSession, openOrt } from './bench/ort';
import { vocabularyOf } from './bench/vocabulary';
import { evaluate, squadFigures } from './evaluate';
import { benchFeeds } from './feeds';
import { latencyStatistics } from './output/statistics';
import type { Column, Row } from './output/table';
import { quantizeModel, refuseBetweenOfFp32 } from './quantize/quantize';

/** What is measured: both accuracy and latency unless told otherwise. */
export const MODES = ['all', 'accuracy', 'latency', 'throughput'] as const;
export type Mode = (typeof MODES)[number];

/** Sequences in a run that is measured for throughput. */
const THROUGHPUT_BATCH = 8;

export interface PipelineOptions {
  /** Default `all`. */
  readonly mode?: Mode;
  /** The form set beside fp32. Default `int8`. */
  readonly precision?: Precision;
  readonly data?: string;
  readonly limit?: number;
  readonly calibration?: string;
  readonly samples?: string;
  readonly method?: string;
  readonly heads?: boolean;
  readonly recipe?: string;
  readonly between?: string;
  readonly seqLen: number;
  readonly iterations: number;
  readonly threads: number;
  readonly tokenizer?: string;
}

const ACCURACY: readonly Column[] = [
  { key: 'f1', title: 'F1', digits: 2 },
  { key: 'exactMatch', title: 'EM', digits: 2 },
];

const SPEED: readonly Column[] = [
  { key: 'p50', title: 'P50 ms', digits: 2 },
  { key: 'min', title: 'min ms', digits: 2 },
  { key: 'throughput', title: 'samples/s', digits: 1 },
  { key: 'ratio', title: 'against ORT fp32', digits: 2 },
];

/** The columns of a mode's table. */
export const pipelineColumns = (mode: Mode): readonly Column[] => [
  { key: 'form', title: 'form', align: 'left' },
  ...(mode === 'all' || mode === 'accuracy' ? ACCURACY : []),
  ...(mode === 'accuracy' ? [] : SPEED),
];

interface Form {
  readonly name: string;
  readonly source: ModelSource;
  readonly load: LoadOptions;
}

/** Compiles, quantises, and runs every form of a model on the same samples; speeds are measured in turn, run by run. */
export async function runPipeline(path: string, options: PipelineOptions) {
  const located = locate(path);
  const tokenizer = await tokenizerOf(options.tokenizer ?? ('directory' in located ? located.directory : undefined));
  const mode = options.mode ?? 'all';
  const forms = await formsOf(path, options.precision ?? 'int8', options);
  const { ort, notes } = await openPeer(located, options.threads);
  const names = [...forms.map(({ name }) => name), ...(ort ? [ORT] : [])];
  const scores = mode === 'latency' || mode === 'throughput' ? undefined : await measureAccuracy(path, forms, ort, tokenizer, options);
  const batch = mode === 'throughput' ? THROUGHPUT_BATCH : 1;
  const times = mode === 'accuracy' ? undefined : await race(forms, ort, batch, options);
  await ort?.close();
  const rows = names.map((form): Row => ({ form, ...scores?.get(form), ...speedOf(times, form, batch) }));
  const report = isa();
  return {
    rows,
    facts: {
      schema: 'pipeline',
      mode,
      cpu: report.cpu,
      tier: report.tier,
      threads: options.threads,
      batch,
      seqLen: options.seqLen,
      model: path,
    },
    notes,
    example: mode === 'all' ? await example(forms.at(-1)!.source, tokenizer) : undefined,
  };
}

/** ONNX Runtime on the same file, or why it is left out. */
export async function openPeer(located: Located, threads: number): Promise<{ ort?: OrtSession; notes: string[] }> {
  if (located.kind !== 'onnx-file') return { notes: ['without ONNX Runtime, which runs .onnx files only'] };
  try {
    return { ort: await openOrt(located.file, threads), notes: [] };
  } catch (error) {
    if (!EngineError.isInstance(error)) throw error;
    return { notes: [`without ONNX Runtime: ${error.message}`] };
  }
}

type Accuracy = ReturnType<typeof squadFigures>;

/** Asks every form, and ONNX Runtime where it is there, the same questions. */
async function measureAccuracy(
  path: string,
  forms: readonly Form[],
  ort: OrtSession | undefined,
  tokenizer: Tokenizer,
  options: PipelineOptions,
): Promise<Map<string, Accuracy>> {
  const shared = {
    task: 'squad',
    batchSize: 8,
    threads: options.threads,
    tokenizer,
    ...(options.data ? { data: options.data } : {}),
    ...(options.limit ? { limit: options.limit } : {}),
  };
  const scores = new Map<string, Accuracy>();
  for (const { name, source, load: how } of forms) {
    const sparse = how.sparse ? { sparse: how.sparse } : {};
    scores.set(name, squadFigures(await evaluate(source, { ...shared, ...sparse, engine: 'neural-engine', title: name })));
  }
  if (ort) scores.set(ORT, squadFigures(await evaluate(path, { ...shared, engine: 'onnxruntime', title: ORT })));
  return scores;
}

/** Speed of a form; the ratio is the median of pairs that ran one right after the other. */
function speedOf(times: ReadonlyMap<string, number[]> | undefined, form: string, batch: number): Row {
  const values = times?.get(form);
  if (!values) return {};
  const { p50, min, mean } = latencyStatistics(values);
  const baseline = times!.get(ORT);
  const ratio = baseline ? latencyStatistics(values.map((value, i) => baseline[i]! / value)).p50 : null;
  return { p50, min, throughput: (1000 * batch) / mean, ratio };
}

/** fp32 and the precision asked for, each with every weight dense and with sparse kernels where they are faster. */
async function formsOf(path: string, precision: Precision, options: PipelineOptions): Promise<Form[]> {
  const forms = (name: string, source: ModelSource): Form[] =>
    (['never', 'auto'] as const).map((sparse) => ({
      name: `${name}, ${sparse === 'never' ? 'dense' : 'sparse'}`,
      source,
      load: { sparse },
    }));
  refuseBetweenOfFp32(precision, options.between);
  if (precision === 'fp32') return forms('fp32', path);
  const { graph } = await quantizeModel(path, {
    precision,
    threads: String(options.threads),
    ...(options.calibration ? { calibration: options.calibration } : {}),
    ...(options.samples ? { samples: options.samples } : {}),
    ...(options.method ? { method: options.method } : {}),
    ...(options.heads ? { heads: true } : {}),
    ...(options.recipe ? { recipe: options.recipe } : {}),
    ...(options.between ? { between: options.between } : {}),
    ...(options.tokenizer ? { tokenizer: options.tokenizer } : {}),
  });
  return [...forms('fp32', path), ...forms(precision, graph)];
}

const ORT = 'ONNX Runtime fp32';

/** Measures all forms in turn, so that a change of the machine's speed meets all of them. */
async function race(
  forms: readonly Form[],
  ort: OrtSession | undefined,
  batch: number,
  options: PipelineOptions,
): Promise<Map<string, number[]>> {
  const models = await Promise.all(forms.map(({ source, load: how }) => load(source, how)));
  const sessions = await Promise.all(models.map((model) => model.session({ threads: options.threads })));
  const feeds = benchFeeds(models[0]!.inputs, { batch, seqLen: options.seqLen, vocabulary: vocabularyOf(models[0]!) });
  const runners = new Map<string, () => Promise<unknown>>(forms.map(({ name }, i) => [name, () => sessions[i]!.run(feeds)]));
  if (ort) runners.set(ORT, () => ort.run(feeds));
  const times = new Map<string, number[]>([...runners.keys()].map((name) => [name, []]));
  for (let i = -Math.max(3, Math.ceil(options.iterations / 10)); i < options.iterations; i++) {
    for (const [name, run] of runners) {
      const started = performance.now();
      await run();
      if (i >= 0) times.get(name)!.push(performance.now() - started);
    }
  }
  for (const session of sessions) await session.close();
  return times;
}

async function example(model: ModelSource, tokenizer: Tokenizer) {
  const [sample] = demoSamples();
  const qa = await pipeline('question-answering', model, { tokenizer });
  await qa.answer(sample!.question, sample!.context);
  const started = performance.now();
  const { answer, score, start, end } = await qa.answer(sample!.question, sample!.context);
  const milliseconds = performance.now() - started;
  await qa.close();
  return { question: sample!.question, answer, score, start, end, milliseconds };
}
