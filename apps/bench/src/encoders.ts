import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoModelPath } from '@neural-engine/demo-model';
import type { Tensor } from '@neural-engine/engine';
import { compileModel, type LoadedModel, load, quantize } from '@neural-engine/engine';
import { writeModel } from '@neural-engine/onnx';
import * as ort from 'onnxruntime-node';
import { BASE, encoderModel } from '../../../tooling/models/encoder';
import { minimum, pairedRatio, race } from './race';
import type { Row, Section } from './record';

interface Case {
  readonly batch: number;
  readonly seqLen: number;
  readonly threads: number;
}

const CASES: readonly Case[] = [1, 2].flatMap((threads) =>
  [1, 8].flatMap((batch) => [128, 384].map((seqLen) => ({ batch, seqLen, threads }))),
);

/** Random ids, full-length masks. */
export function feedsOf({ batch, seqLen }: Case): Record<string, Tensor> {
  const count = batch * seqLen;
  const tensor = (data: BigInt64Array): Tensor => ({ dtype: 's64', dims: [batch, seqLen], data });
  return {
    input_ids: tensor(BigInt64Array.from({ length: count }, (_, i) => BigInt((i * 7919) % 1000))),
    attention_mask: tensor(new BigInt64Array(count).fill(1n)),
  };
}

const ortFeeds = (feeds: Record<string, Tensor>): Record<string, ort.Tensor> =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { data, dims }]) => [name, new ort.Tensor('int64', data as BigInt64Array, [...dims])]),
  );

/** A DistilBERT-base-shaped model with random weights, 80% zeros in 4x1 blocks. */
export async function baseModelFile(): Promise<string> {
  const path = join(mkdtempSync(join(tmpdir(), 'ne-bench-')), 'distilbert-base-80.onnx');
  await writeModel(encoderModel({ ...BASE, family: 'distilbert', sparsity: 0.8, seed: 11 }), path);
  return path;
}

/** fp32 (dense and sparse kernels) and int8 sparse against ONNX Runtime fp32 on the same file. */
export async function encoderSections(rounds: number): Promise<Section[]> {
  const sections: Section[] = [];
  for (const [title, path] of [
    ['demo model (6 layers, width 384)', demoModelPath()],
    ['DistilBERT-base shape (6 layers, width 768)', await baseModelFile()],
  ] as const) {
    const graph = await compileModel(path);
    const samples = [feedsOf({ batch: 1, seqLen: 128, threads: 1 }), feedsOf({ batch: 1, seqLen: 96, threads: 1 })];
    const { graph: int8 } = await quantize(graph, { samples });
    const models: [string, LoadedModel][] = [
      ['fp32 dense', await load(path, { sparse: 'never' })],
      ['fp32 sparse', await load(path, { sparse: 'auto' })],
      ['int8 dense', await load(int8, { sparse: 'never' })],
      ['int8 sparse', await load(int8, { sparse: 'auto' })],
    ];
    for (const threads of [1, 2]) {
      const rows: Row[] = [];
      const peer = await ort.InferenceSession.create(path, {
        intraOpNumThreads: threads,
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
      });
      const sessions = await Promise.all(models.map(async ([name, model]) => [name, await model.session({ threads })] as const));
      for (const shape of CASES.filter((each) => each.threads === threads)) {
        const feeds = feedsOf(shape);
        const theirs = ortFeeds(feeds);
        const contestants = new Map<string, () => Promise<unknown>>(sessions.map(([name, session]) => [name, () => session.run(feeds)]));
        contestants.set('ort', () => peer.run(theirs));
        const times = await race(contestants, Math.max(5, Math.round(rounds / Math.sqrt(shape.batch * (shape.seqLen / 128)))));
        for (const [name] of models) {
          const detail = `min ${minimum(times.get(name)!).toFixed(2)} ms, ORT fp32 ${minimum(times.get('ort')!).toFixed(2)} ms`;
          rows.push({
            what: `${name}, batch ${shape.batch}, ${shape.seqLen} tokens`,
            measured: pairedRatio(times, name, 'ort'),
            unit: '× ORT fp32',
            detail,
            ...(name.startsWith('fp32') ? { bar: { kind: '>=', value: 1 } } : {}),
          });
        }
      }
      for (const [, session] of sessions) await session.close();
      await peer.release();
      sections.push({ title: `${title}, ${threads} thread${threads > 1 ? 's' : ''}`, rows });
    }
  }
  return sections;
}
