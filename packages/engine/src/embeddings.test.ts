import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tensor } from '@neural-engine/core';
import { writeModel } from '@neural-engine/onnx';
import { afterAll, expect, it } from 'vitest';
import { encoderModel } from '../../../tooling/models/encoder';
import { compileModel, type LoadOptions, load, type ModelSource } from './index';

const folder = mkdtempSync(join(tmpdir(), 'ne-embeddings-'));
afterAll(() => rmSync(folder, { recursive: true }));

const model = encoderModel({ family: 'bert', layers: 1, hidden: 36, heads: 2, ffn: 64, vocabulary: 300, positions: 40, seed: 4 });
const tensor = (value: (i: number) => number): Tensor => ({
  dtype: 's64',
  dims: [2, 33],
  data: BigInt64Array.from({ length: 66 }, (_, i) => BigInt(value(i))),
});
const feeds = {
  input_ids: tensor((i) => (i * 37) % 300),
  attention_mask: tensor((i) => Number(i % 33 < 30)),
  token_type_ids: tensor((i) => i % 2),
};

async function run(source: ModelSource, options: LoadOptions = {}) {
  const session = await (await load(source, { cache: false, ...options })).session({ threads: 1 });
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

/** Rounds each row to 127 steps a side, as packed int8 tables hold it. */
function rounded(values: Float32Array, features: number): Float32Array {
  const result = values.slice();
  for (let row = 0; row < values.length; row += features) {
    const step = Math.fround(Math.max(...values.subarray(row, row + features).map(Math.abs)) / 127);
    for (let i = row; i < row + features; i++) result[i] = Math.fround(Math.round(values[i]! / step) * step);
  }
  return result;
}

it('computes with int8 embeddings what the rounded tables say, bit for bit', async () => {
  const graph = await compileModel(model);
  const embeddings = graph.nodes.find(({ op }) => op === 'Embeddings')!;
  for (const slot of [1, 2, 4]) {
    const { constant } = graph.value(embeddings.inputs[slot]!);
    graph.value(embeddings.inputs[slot]!).constant = { ...constant!, data: rounded(constant!.data as Float32Array, 36) };
  }
  const got = await run(model, { embeddings: 'int8' });
  expect(got).toEqual(await run(graph));
  expect(got).not.toEqual(await run(model));
});

it('keeps them in a packed file of their own, a quarter of the size', async () => {
  const path = join(folder, 'model.onnx');
  await writeModel(model, path);
  const size = async (options: LoadOptions): Promise<number> => {
    const { warm, packedFile } = await load(path, { ...options, cache: folder });
    expect(warm).toBe(false);
    expect((await load(path, { ...options, cache: folder })).warm).toBe(true);
    return statSync(packedFile!).size;
  };
  const [wide, narrow] = [await size({}), await size({ embeddings: 'int8' })];
  expect(wide - narrow).toBeGreaterThan(342 * 36 * 3 - 342 * 4 - 1000);
});

it('refuses a form of them that there is not', async () => {
  const options = { embeddings: 'INT8' } as unknown as LoadOptions;
  await expect(load(model, options)).rejects.toMatchObject({ code: 'E_USAGE', message: expect.stringContaining('got "INT8"') });
});
