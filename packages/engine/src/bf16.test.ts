import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bytesOf, type Tensor } from '@neural-engine/core';
import { evaluateGraph, readIr, writeIr } from '@neural-engine/ir';
import { isa } from '@neural-engine/kernels';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encoderModel } from '../../../tooling/models/encoder';
import { compileModel, load, quantize } from './index';

const folder = mkdtempSync(join(tmpdir(), 'ne-bf16-'));
const ir = join(folder, 'ir');
afterAll(() => rmSync(folder, { recursive: true }));

const model = encoderModel({
  family: 'distilbert',
  layers: 2,
  hidden: 64,
  heads: 2,
  ffn: 256,
  vocabulary: 200,
  positions: 128,
  sparsity: 0.8,
  seed: 6,
});

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
  const { graph } = await quantize(await compileModel(model), { precision: 'bf16' });
  await writeIr(graph, ir);
});

type Sparse = 'auto' | 'never';

async function run(threads: number, tensors: Record<string, Tensor>, sparse: Sparse = 'auto', source: Parameters<typeof load>[0] = ir) {
  const session = await (await load(source, { cache: false, sparse })).session({ threads });
  try {
    return await session.run(tensors);
  } finally {
    await session.close();
  }
}

const largest = (a: Tensor, b: Tensor): number =>
  (a.data as Float32Array).reduce((most, value, i) => Math.max(most, Math.abs(value - (b.data as Float32Array)[i]!)), 0);

describe('a bf16 model', () => {
  const batch = feeds([100, 37, 64, 1], 100);

  it('keeps its weights in 16 bits in the IR, and its products run on them', async () => {
    const graph = await readIr(ir);
    const products = graph.nodes.filter(({ op }) => op === 'InnerProduct');
    expect(new Set(products.slice(0, -1).map((node) => graph.constant(node.inputs[1])!.dtype))).toEqual(new Set(['bf16']));
    const { kernels } = await load(ir, { cache: false, sparse: 'auto' });
    expect(kernels.filter(({ kernel }) => kernel.includes('_bf16_')).length).toBe(12);
  });
  it('computes what its graph says', async () => {
    const graph = await readIr(ir);
    const small = feeds([9], 9);
    const want = evaluateGraph(graph, small);
    for (const sparse of ['auto', 'never'] as const) {
      const got = await run(1, small, sparse);
      // Both round the same f32 numbers to bf16; where these differ in the last bit, a rounding may fall the other way: 2⁻⁹ of one input.
      for (const name of graph.outputs) expect(largest(got[name]!, want.get(name)!)).toBeLessThan(5e-3);
    }
  });
  it('stays near the f32 model and differs from it', async () => {
    const [half, full] = [await run(1, batch), await run(1, batch, 'auto', model)];
    for (const name of Object.keys(half)) {
      expect(largest(half[name]!, full[name]!)).toBeGreaterThan(0);
      expect(largest(half[name]!, full[name]!)).toBeLessThan(0.05);
    }
  });
  it('gives the same bits on 1, 2 and 3 threads, with few panels and with many, again and again', async () => {
    for (const tensors of [batch, feeds([20], 20)]) {
      const hashes = new Set<string>();
      for (const threads of [1, 2, 3, 2]) hashes.add(hash(await run(threads, tensors)));
      expect(hashes.size).toBe(1);
    }
  });
  it('gives the same bits for a sequence alone and within a batch', async () => {
    const together = await run(1, batch);
    for (const [row, length] of [100, 37, 64, 1].entries()) {
      const alone = await run(1, feeds([length], length, row));
      for (const name of ['start_logits', 'end_logits']) {
        const part = (together[name]!.data as Float32Array).slice(row * 100, row * 100 + length);
        expect([...part]).toEqual([...(alone[name]!.data as Float32Array)]);
      }
    }
  });
  // AMX sums in another order, so that it is compared by distance above and not by bits here.
  const tiers = isa().tiers.filter((tier) => tier !== 'amx');
  for (const missing of ['avx2', 'avx512_vnni'].filter((tier) => !tiers.includes(tier)))
    console.info(`tier ${missing}: not tested, this CPU does not have it`);
  it('gives the same bits on every tier of this CPU that multiplies in vectors', () => {
    const program = `
      import { load } from ${JSON.stringify(fileURLToPath(new URL('./index.ts', import.meta.url)))};
      import { bytesOf } from '@neural-engine/core';
      import { createHash } from 'node:crypto';
      const dims = [2, 90];
      const ids = BigInt64Array.from({ length: 180 }, (_, i) => BigInt((i * 13) % 200));
      const mask = BigInt64Array.from({ length: 180 }, (_, i) => BigInt(i < 150));
      const digest = createHash('sha256');
      for (const sparse of ['auto', 'never']) {
        const session = await (await load(${JSON.stringify(ir)}, { cache: false, sparse })).session({ threads: 2 });
        const outputs = await session.run({ input_ids: { dtype: 's64', dims, data: ids }, attention_mask: { dtype: 's64', dims, data: mask } });
        for (const name of Object.keys(outputs).sort()) digest.update(bytesOf(outputs[name].data));
        await session.close();
      }
      console.log(digest.digest('hex'));`;
    const hashes = tiers.map((tier) => {
      const { stdout, stderr, status } = spawnSync(
        process.execPath,
        ['--import', 'tsx', '--conditions=source', '--input-type=module', '-e', program],
        { env: { ...process.env, NE_MAX_CPU_ISA: tier }, cwd: fileURLToPath(new URL('..', import.meta.url)), encoding: 'utf8' },
      );
      expect(status, stderr).toBe(0);
      return stdout.trim();
    });
    expect(new Set(hashes).size, hashes.join(' ')).toBe(1);
  });
});
