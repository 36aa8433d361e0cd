import { EngineError } from '@neural-engine/core';
import { demoCalibrationPath } from '@neural-engine/demo-model';
import { compileModel, locate, type PrunedLayer, pruneModel, tokenizerOf } from '@neural-engine/engine';
import { readModel, writeModel } from '@neural-engine/onnx';
import { BLOCKS, type BlockName } from '@neural-engine/sparsity';
import { positiveInteger } from './context';
import { evaluate, squadFigures } from './evaluate';
import { progress } from './output/progress';
import type { Column, Row } from './output/table';
import { Outputs } from './outputs';
import { readSamples } from './quantize/samples';
import { weightsOutside } from './weights-outside';

export interface PruneFlags {
  readonly output: string;
  readonly block: string;
  readonly sparsity: string;
  readonly calibration?: string | true;
  readonly samples: string;
  readonly keep?: string;
  readonly data?: string;
  readonly limit?: string;
  readonly tokenizer?: string;
  readonly threads?: string;
  readonly force?: boolean;
}

export const PRUNE_COLUMNS: readonly Column[] = [
  { key: 'node', title: 'product', align: 'left' },
  { key: 'out', title: 'out' },
  { key: 'in', title: 'in' },
  { key: 'before', title: 'zeros before', digits: 3 },
  { key: 'after', title: 'after', digits: 3 },
  { key: 'kept', title: 'size kept', digits: 3 },
  { key: 'reason', title: 'how', align: 'left' },
];

/** Accuracy before and after; the lost points are F1 of 100. */
export interface PruneAccuracy {
  readonly before: { readonly f1: number; readonly exactMatch: number };
  readonly after: { readonly f1: number; readonly exactMatch: number };
  readonly questions: number;
  readonly lostF1: number;
}

export interface PruneReport {
  readonly rows: Row[];
  readonly notes: string[];
  /** Null: not measured. */
  readonly accuracy: PruneAccuracy | null;
}

/** Prunes a model once, saves it as ONNX and measures what that cost where it is told on which questions. */
export async function pruneToOnnx(path: string, flags: PruneFlags): Promise<PruneReport> {
  const { block, sparsity, limit, threads } = readFlags(flags);
  const located = locate(path);
  if (located.kind !== 'onnx-file')
    throw new EngineError('E_USAGE', 'usage', `"${path}" is no ONNX model; prune the .onnx file that it was made from`, { where: path });
  const read = [path, located.file, typeof flags.calibration === 'string' ? flags.calibration : undefined, flags.data];
  using outputs = await Outputs.claim([{ flag: '--output', path: flags.output }], read, flags.force);
  const source = await readModel(located.file);
  const tokenizerPath = flags.tokenizer ?? located.directory;
  const samples = flags.calibration === undefined ? undefined : await calibration(path, flags, tokenizerPath);
  const bar = samples && progress('running samples', samples.count);
  const { model, layers } = await pruneModel(source, {
    block,
    sparsity,
    ...(flags.keep ? { keep: flags.keep.split(',') } : {}),
    ...(samples ? { samples: samples.feeds } : {}),
    ...(threads === undefined ? {} : { threads }),
    ...(bar ? { onProgress: (done: number) => bar.update(done) } : {}),
  }).finally(() => bar?.stop());
  await writeModel(model, flags.output, { ...outputs.how(flags.output), ...weightsOutside(source, model) });
  const accuracy =
    flags.data === undefined ? null : await measure(located.file, flags.output, flags.data, { tokenizerPath, limit, threads });
  return { rows: layers.map((layer) => ({ ...layer })), notes: notes(flags, layers, accuracy), accuracy };
}

function readFlags(flags: PruneFlags): { block: BlockName; sparsity: number; limit?: number; threads?: number } {
  const block = (Object.keys(BLOCKS) as BlockName[]).find((name) => name === flags.block);
  if (!block) throw new EngineError('E_USAGE', 'usage', `--block ${flags.block}: expected one of ${Object.keys(BLOCKS).join(', ')}`);
  const sparsity = Number(flags.sparsity);
  if (flags.sparsity.trim() === '' || !(sparsity >= 0 && sparsity <= 1))
    throw new EngineError('E_USAGE', 'usage', `--sparsity ${flags.sparsity}: expected a number from 0 to 1`);
  return {
    block,
    sparsity,
    ...(flags.limit ? { limit: positiveInteger('--limit', flags.limit) } : {}),
    ...(flags.threads ? { threads: positiveInteger('--threads', flags.threads, 1024) } : {}),
  };
}

async function calibration(path: string, flags: PruneFlags, tokenizerPath: string) {
  const file = typeof flags.calibration === 'string' ? flags.calibration : demoCalibrationPath();
  const graph = await compileModel(path);
  const limit = positiveInteger('--samples', flags.samples);
  // Each text alone: padding would count as an input.
  const { runs, count } = await readSamples(file, graph, () => tokenizerOf(tokenizerPath), { limit, onError: 'fail', batch: 1 });
  return { count, feeds: runs };
}

async function measure(
  before: string,
  after: string,
  data: string,
  options: { tokenizerPath: string; limit: number | undefined; threads: number | undefined },
): Promise<PruneAccuracy> {
  const shared = {
    task: 'squad',
    data,
    batchSize: 8,
    engine: 'neural-engine',
    tokenizer: options.tokenizerPath,
    ...(options.limit === undefined ? {} : { limit: options.limit }),
    ...(options.threads === undefined ? {} : { threads: options.threads }),
  };
  const [was, is] = [await evaluate(before, shared), await evaluate(after, shared)];
  const [a, b] = [squadFigures(was), squadFigures(is)];
  return { before: a, after: b, questions: was.total, lostF1: a.f1 - b.f1 };
}

function notes(flags: PruneFlags, layers: readonly PrunedLayer[], accuracy: PruneAccuracy | null): string[] {
  const pruned = layers.filter(({ kept, reason }) => kept !== null && reason.startsWith('by '));
  const alone = layers.length - pruned.length;
  return [
    `${pruned.length} weights are pruned${alone > 0 ? `, ${alone} ${alone === 1 ? 'product is' : 'products are'} left alone` : ''}; saved to ${flags.output}`,
    accuracy
      ? `F1 ${accuracy.before.f1.toFixed(2)} → ${accuracy.after.f1.toFixed(2)} (${accuracy.lostF1.toFixed(2)} lost), exact match ${accuracy.before.exactMatch.toFixed(2)} → ${accuracy.after.exactMatch.toFixed(2)}, on ${accuracy.questions} questions`
      : 'the accuracy lost was not measured: --data FILE with questions measures it',
    'This prunes once and does not replace training: a model that is to keep its accuracy at this many zeros is pruned while it is trained.',
  ];
}
