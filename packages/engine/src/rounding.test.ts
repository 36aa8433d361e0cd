import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tensor } from '@neural-engine/core';
import { encodeModel, makeModel, makeNode, makeTensor, makeValueInfo } from '@neural-engine/onnx';
import { expect, it } from 'vitest';
import { compileModel, type LoadOptions, load } from './index';

const [K, N] = [8, 4];
const scalar = (name: string, value: number) => makeTensor(name, 'f32', [], Float32Array.of(value));
const zero = (name: string, value: number) => makeTensor(name, 'u8', [], Uint8Array.of(value));

/** x · W, coded in steps of a quarter, plus a bias. */
const model = makeModel(
  {
    nodes: [
      makeNode('QuantizeLinear', ['x', 'xs', 'xz'], ['xq']),
      makeNode('DequantizeLinear', ['xq', 'xs', 'xz'], ['xr']),
      makeNode('DequantizeLinear', ['w', 'ws'], ['wr']),
      makeNode('MatMul', ['xr', 'wr'], ['sum']),
      makeNode('QuantizeLinear', ['sum', 'ys', 'yz'], ['yq']),
      makeNode('DequantizeLinear', ['yq', 'ys', 'yz'], ['product']),
      makeNode('Add', ['product', 'bias'], ['y']),
    ],
    inputs: [makeValueInfo('x', 'f32', ['rows', K])],
    outputs: [makeValueInfo('y', 'f32', ['rows', N])],
    initializers: [
      ...[scalar('xs', 0.01), zero('xz', 128), scalar('ws', 0.01), scalar('ys', 0.25), zero('yz', 128)],
      makeTensor(
        'w',
        's8',
        [K, N],
        Int8Array.from({ length: K * N }, (_, i) => ((i * 37) % 200) - 100),
      ),
      makeTensor('bias', 'f32', [N], Float32Array.of(0, 1, 2, 3)),
    ],
  },
  { opsets: 17 },
);
const x: Tensor = { dtype: 'f32', dims: [1, K], data: Float32Array.from({ length: K }, (_, i) => Math.sin(i + 1)) };

it('keeps the packed forms of one file apart by their roundings', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ne-rounding-'));
  const file = join(folder, 'model.onnx');
  await writeFile(file, encodeModel(model));
  const run = async (options: LoadOptions) => {
    const loaded = await load(file, { cache: join(folder, 'cache'), ...options });
    const session = await loaded.session({ threads: 1 });
    const { y } = await session.run({ x });
    await session.close();
    return { warm: loaded.warm, y: [...(y!.data as Float32Array)] };
  };
  try {
    const [fused, kept, again] = [await run({}), await run({ rounding: 'file' }), await run({ rounding: 'file' })];
    expect([fused.warm, kept.warm, again.warm]).toEqual([false, false, true]);
    expect(again.y).toEqual(kept.y);
    expect(kept.y.every((value) => Number.isInteger(value * 4))).toBe(true);
    expect(fused.y.some((value) => !Number.isInteger(value * 4))).toBe(true);
  } finally {
    await rm(folder, { recursive: true });
  }
});

it('refuses to choose the roundings of what is compiled already', async () => {
  const graph = await compileModel(model);
  await expect(load(graph, { rounding: 'file' })).rejects.toMatchObject({ code: 'E_USAGE', where: 'rounding' });
  await expect(load(graph, { rounding: 'fused' })).resolves.toBeDefined();
});
