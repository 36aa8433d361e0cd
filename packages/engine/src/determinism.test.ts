import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bytesOf, type Tensor } from '@neural-engine/core';
import { writeIr } from '@neural-engine/ir';
import { isa } from '@neural-engine/kernels';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encoderModel } from '../../../tooling/models/encoder';
import { compileModel, load, quantize } from './index';

const folder = mkdtempSync(join(tmpdir(), 'ne-determinism-'));
/** A model for each way of quantising. */
const models = {
  int8: join(folder, 'int8'),
  'int8 with bf16 between': join(folder, 'int8-between'),
  'dynamic-int8': join(folder, 'dynamic'),
  'dynamic-int8 with bf16 between': join(folder, 'dynamic-between'),
} as const;
type Form = keyof typeof models;
afterAll(() => rmSync(folder, { recursive: true }));

const SHAPE = {
  family: 'distilbert',
  layers: 2,
  hidden: 64,
  heads: 2,
  ffn: 256,
  vocabulary: 200,
  positions: 128,
  sparsity: 0.8,
  seed: 5,
} as const;

/** `lengths.length` sequences of `seqLen` positions; each sequence's ids depend on `first` and its place only. */
function feeds(lengths: readonly number[], seqLen: number, first = 0): Record<string, Tensor> {
  const dims = [lengths.length, seqLen];
  const make = (element: (row: number, at: number) => number): Tensor => ({
    dtype: 's64',
    dims,
    data: BigInt64Array.from({ length: lengths.length * seqLen }, (_, i) => BigInt(element(Math.floor(i / seqLen), i % seqLen))),
  });
  return {
    input_ids: make((row, at) => ((row + first) * 31 + at * 17) % 200),
    attention_mask: make((row, at) => Number(at < lengths[row]!)),
  };
}

const hash = (tensors: Record<string, Tensor>): string => {
  const digest = createHash('sha256');
  for (const name of Object.keys(tensors).sort()) digest.update(bytesOf(tensors[name]!.data));
  return digest.digest('hex');
};

beforeAll(async () => {
  const graph = await compileModel(encoderModel(SHAPE));
  const samples = [feeds([100], 100), feeds([40], 40, 3)];
  const recipe = { between: 'bf16' } as const;
  const forms = {
    int8: { samples, threads: 1 },
    'int8 with bf16 between': { samples, threads: 1, recipe },
    'dynamic-int8': { precision: 'dynamic-int8' },
    'dynamic-int8 with bf16 between': { precision: 'dynamic-int8', recipe },
  } as const;
  for (const form of Object.keys(models) as Form[]) await writeIr((await quantize(graph, forms[form])).graph, models[form]);
});

async function run(
  form: Form,
  threads: number,
  tensors: Record<string, Tensor>,
  sparse: 'auto' | 'never' = 'auto',
): Promise<Record<string, Tensor>> {
  const model = await load(models[form], { cache: false, sparse });
  const session = await model.session({ threads });
  try {
    return await session.run(tensors);
  } finally {
    await session.close();
  }
}

describe.each(Object.keys(models) as Form[])('a model of %s gives the same bits', (form) => {
  const batch = feeds([100, 37, 64, 1], 100);

  it('whether its zeros are skipped or multiplied', async () => {
    expect(hash(await run(form, 1, batch, 'never'))).toBe(hash(await run(form, 1, batch)));
  });
  it('on 1, 2 and 3 threads, with few panels and with many, again and again', async () => {
    for (const tensors of [batch, feeds([20], 20)]) {
      const hashes = new Set<string>();
      for (const threads of [1, 2, 3, 2]) hashes.add(hash(await run(form, threads, tensors)));
      expect(hashes.size).toBe(1);
    }
  });
  it('for a sequence alone and within a batch', async () => {
    const together = await run(form, 1, batch);
    for (const [row, length] of [100, 37, 64, 1].entries()) {
      const alone = await run(form, 1, feeds([length], length, row));
      for (const name of ['start_logits', 'end_logits']) {
        expect([...(together[name]!.data as Float32Array).slice(row * 100, row * 100 + length)]).toEqual([
          ...(alone[name]!.data as Float32Array),
        ]);
      }
    }
  });
  const tiers = isa().tiers;
  for (const missing of ['avx2', 'avx512_vnni', 'amx'].filter((tier) => !tiers.includes(tier)))
    console.info(`tier ${missing}: not tested, this CPU does not have it`);
  it('on every tier of this CPU', async () => {
    const program = `
      import { load } from ${JSON.stringify(fileURLToPath(new URL('./index.ts', import.meta.url)))};
      import { bytesOf } from '@neural-engine/core';
      import { createHash } from 'node:crypto';
      const dims = [2, 90];
      const ids = BigInt64Array.from({ length: 180 }, (_, i) => BigInt((i * 13) % 200));
      const mask = BigInt64Array.from({ length: 180 }, (_, i) => BigInt(i < 150));
      const session = await (await load(${JSON.stringify(models[form])}, { cache: false })).session({ threads: 2 });
      const outputs = await session.run({ input_ids: { dtype: 's64', dims, data: ids }, attention_mask: { dtype: 's64', dims, data: mask } });
      const digest = createHash('sha256');
      for (const name of Object.keys(outputs).sort()) digest.update(bytesOf(outputs[name].data));
      console.log(digest.digest('hex'));
      await session.close();`;
    const hashes = tiers.map((tier) => {
      const { stdout, stderr, status } = spawnSync(
        process.execPath,
        ['--import', 'tsx', '--conditions=source', '--input-type=module', '-e', program],
        {
          env: { ...process.env, NE_MAX_CPU_ISA: tier },
          cwd: fileURLToPath(new URL('..', import.meta.url)),
          encoding: 'utf8',
        },
      );
      expect(status, stderr).toBe(0);
      return stdout.trim();
    });
    expect(tiers.length).toBeGreaterThan(0);
    expect(new Set(hashes).size, hashes.join(' ')).toBe(1);
  });
});
