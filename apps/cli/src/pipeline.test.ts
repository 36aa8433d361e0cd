import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoModelDirectory } from '@neural-engine/demo-model';
import { locate } from '@neural-engine/engine';
import { writeModel } from '@neural-engine/onnx';
import { afterAll, expect, it, vi } from 'vitest';
import { encoderModel } from '../../../tooling/models/encoder';
import { openPeer, runPipeline } from './pipeline';

const folder = mkdtempSync(join(tmpdir(), 'ne-pipeline-'));
vi.stubEnv('NE_CACHE_DIR', join(folder, 'cache'));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

it('says why ONNX Runtime is left out', async () => {
  const broken = join(folder, 'broken.onnx');
  writeFileSync(broken, 'no model');
  expect(await openPeer(locate(broken), 1)).toEqual({ notes: [expect.stringMatching(/^without ONNX Runtime: .*refuses the model/)] });
  const ir = mkdtempSync(join(folder, 'ir-'));
  for (const name of ['conf.yaml', 'model.bin']) writeFileSync(join(ir, name), '');
  expect(await openPeer(locate(ir), 1)).toEqual({ notes: [expect.stringContaining('.onnx files only')] });
});

it('measures a model with fewer words than most', async () => {
  const path = join(folder, 'model.onnx');
  const shape = { family: 'distilbert', layers: 1, hidden: 32, heads: 2, ffn: 64, vocabulary: 20, positions: 32 } as const;
  await writeModel(encoderModel({ ...shape, sparsity: 0, seed: 1 }), path);
  const options = { mode: 'latency', precision: 'fp32', seqLen: 8, iterations: 1, threads: 1, tokenizer: demoModelDirectory() } as const;
  const { rows, notes } = await runPipeline(path, options);
  expect(notes).toEqual([]);
  expect(rows.map(({ form }) => form)).toEqual(['fp32, dense', 'fp32, sparse', 'ONNX Runtime fp32']);
});
