import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeModel } from '@neural-engine/onnx';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { encoderModel } from '../../../tooling/models/encoder';
import { Forms } from './precision';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ne-forms-'));
  vi.stubEnv('TMPDIR', folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const forms = async (): Promise<Forms> => {
  const model = join(folder, 'model.onnx');
  const shape = { family: 'distilbert', layers: 1, hidden: 32, heads: 2, ffn: 64, vocabulary: 100, positions: 32 } as const;
  await writeModel(encoderModel({ ...shape, sparsity: 0, seed: 1 }), model);
  return new Forms(model);
};

it('removes the files of its forms in the end', async () => {
  {
    using made = await forms();
    await made.path('bf16');
    expect(readdirSync(folder)).toEqual(['model.onnx', expect.stringMatching(/^ne-bf16-/)]);
  }
  expect(readdirSync(folder)).toEqual(['model.onnx']);
});

it('removes them when the process ends earlier, as a signal makes it', async () => {
  const before = process.listeners('exit');
  using made = await forms();
  await made.path('bf16');
  for (const atExit of process.listeners('exit').filter((one) => !before.includes(one))) atExit(143);
  expect(readdirSync(folder)).toEqual(['model.onnx']);
});
