import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeModel } from '@neural-engine/onnx';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { encoderModel } from '../../../../tooling/models/encoder';
import { inProcess } from '../__fixtures__/in-process';

const shape = { family: 'distilbert', layers: 1, hidden: 32, heads: 2, ffn: 64, vocabulary: 100, positions: 32, sparsity: 0 } as const;
const folder = mkdtempSync(join(tmpdir(), 'ne-run-pipeline-'));
const prepared = join('model_and_tokenizer', 'bf16-model.onnx');

beforeAll(async () => {
  vi.stubEnv('NE_CACHE_DIR', join(folder, 'cache'));
  mkdirSync(join(folder, 'model_and_tokenizer'));
  for (const [i, name] of ['a', 'b', 'model_and_tokenizer/fp32-model'].entries())
    await writeModel(encoderModel({ ...shape, seed: i + 1 }), join(folder, `${name}.onnx`));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const pipeline = (precision: string, ...args: string[]) =>
  inProcess(
    [
      'run-pipeline',
      '--mode=latency',
      `--precision=${precision}`,
      '--batch_size=1',
      '--sequence_len=8',
      '--warm_up=1',
      '--iteration=2',
      ...args,
    ],
    { cwd: folder },
  );

it('runs the model that --model names, also where the folder has an fp32 file', async () => {
  expect(await pipeline('fp32', '--model=b.onnx')).toMatchObject({ code: 0, err: 'running b.onnx\n' });
  expect((await pipeline('fp32', '--model=hub/name')).err).toContain(`running ${join('model_and_tokenizer', 'fp32-model.onnx')}\n`);
});

it('refuses what an earlier run prepared from another model than --model names', async () => {
  expect((await pipeline('bf16', '--model=a.onnx')).err).toContain(`bf16 is prepared in ${prepared}\n`);
  cpSync(join(folder, 'a.onnx'), join(folder, 'copy.onnx'));
  for (const same of [['--model=a.onnx'], ['--model=copy.onnx'], []])
    expect(await pipeline('bf16', ...same)).toMatchObject({ code: 0, err: `running ${prepared}\n` });
  const { code, err } = await pipeline('bf16', '--model=b.onnx');
  expect([code, err]).toEqual([2, expect.stringContaining(`--model=b.onnx: ${prepared} was not made from it; remove that file`)]);
});
