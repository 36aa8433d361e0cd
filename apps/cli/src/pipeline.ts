import { demoSamples } from '@neural-engine/demo-model';
import { type LoadOptions, load, locate, type ModelSource, pipeline, tokenizerOf } from '@neural-engine/engine';
import { isa } from '@neural-engine/kernels';
import type { Precision } from '@neural-engine/quantizer';
import { type OrtSession, openOrt } from './bench/ort';
import { evaluate, squadFigures } from './evaluate';
import { benchFeeds } from './feeds';
import { latencyStatistics } from './output/statistics';
import type { Column, Row } from './output/table';
import { quantizeModel } from './quantize/quantize';

export interface PipelineOptions {
  /** The form set beside fp32. Default `int8`. */
  readonly precision?: Precision;
  readonly data?: string;
  readonly limit?: number;
  readonly calibration?: string;
  readonly seqLen: number;
  readonly iterations: number;
  readonly threads: number;
  readonly tokenizer?: string;
}

export const PIPELINE_COLUMNS: readonly Column[] = [
  { key: 'form', title: 'form', align: 'left' },
  { key: 'f1', title: 'F1', digits: 2 },
  { key: 'exactMatch', title: 'EM', digits: 2 },
  { key: 'p50', title: 'P50 ms', digits: 2 },
  { key: 'min', title: 'min ms', digits: 2 },
  { key: 'throughput', title: 'samples/s', digits: 1 },
  { key: 'ratio', title: 'against ORT fp32', digits: 2 },
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
  const forms = await formsOf(path, options.precision ?? 'int8', options);
  const scores = new Map<string, { f1: number; exactMatch: number }>();
  const shared = {
    task: 'squad',
    batchSize: 8,
    threads: options.threads,
    tokenizer,
    engine: 'neural-engine',
    ...(options.data ? { data: options.data } : {}),
    ...(options.limit ? { limit: options.limit } : {}),
  };
  for (const { name, source, load: how } of forms)
    scores.set(name, squadFigures(await evaluate(source, { ...shared, ...(how.sparse ? { sparse: how.sparse } : {}) })));

  const ort = located.kind === 'onnx-file' ? await openOrt(located.file, options.threads).catch(() => undefined) : undefined;
  if (ort) scores.set(ORT, squadFigures(await evaluate(path, { ...shared, engine: 'onnxruntime' })));
  const times = await race(forms, ort, options);
  await ort?.close();
  const baseline = times.get(ORT);
  const rows = [...times].map(([form, values]): Row => {
    const { p50, min, mean } = latencyStatistics(values);
    const ratio = baseline ? latencyStatistics(values.map((value, i) => baseline[i]! / value)).p50 : null;
    return {
      form,
      f1: scores.get(form)?.f1 ?? null,
      exactMatch: scores.get(form)?.exactMatch ?? null,
      p50,
      min,
      throughput: 1000 / mean,
      ratio,
    };
  });
  const report = isa();
  return {
    rows,
    facts: { schema: 'pipeline', cpu: report.cpu, tier: report.tier, threads: options.threads, seqLen: options.seqLen, model: path },
    example: await example(forms.at(-1)!.source, tokenizer),
  };
}

/** fp32 and the precision asked for, each with every weight dense and with sparse kernels where they are faster. */
async function formsOf(path: string, precision: Precision, options: PipelineOptions): Promise<Form[]> {
  const forms = (name: string, source: ModelSource): Form[] =>
    (['never', 'auto'] as const).map((sparse) => ({
      name: `${name}, ${sparse === 'never' ? 'dense' : 'sparse'}`,
      source,
      load: { sparse },
    }));
  if (precision === 'fp32') return forms('fp32', path);
  const { graph } = await quantizeModel(path, {
    precision,
    ...(options.calibration ? { calibration: options.calibration } : {}),
    ...(options.tokenizer ? { tokenizer: options.tokenizer } : {}),
  });
  return [...forms('fp32', path), ...forms(precision, graph)];
}

const ORT = 'ONNX Runtime fp32';

/** Measures all forms in turn, so that a change of the machine's speed meets all of them. */
async function race(forms: readonly Form[], ort: OrtSession | undefined, options: PipelineOptions): Promise<Map<string, number[]>> {
  const models = await Promise.all(forms.map(({ source, load: how }) => load(source, how)));
  const sessions = await Promise.all(models.map((model) => model.session({ threads: options.threads })));
  const feeds = benchFeeds(models[0]!.inputs, { batch: 1, seqLen: options.seqLen, vocabulary: 1000 });
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

async function example(model: ModelSource, tokenizer: Awaited<ReturnType<typeof tokenizerOf>>) {
  const [sample] = demoSamples();
  const qa = await pipeline('question-answering', model, { tokenizer });
  await qa.answer(sample!.question, sample!.context);
  const started = performance.now();
  const { answer, score, start, end } = await qa.answer(sample!.question, sample!.context);
  const milliseconds = performance.now() - started;
  await qa.close();
  return { question: sample!.question, answer, score, start, end, milliseconds };
}
