import { encodeModel, type OnnxModel } from '@neural-engine/onnx';
import { expect, it } from 'vitest';
import { encoderModel } from '../../../tooling/models/encoder';
import { openPeer } from './models';
import { withIntegerProducts, withQdq } from './qdq';

const shape = { family: 'distilbert', layers: 1, hidden: 64, heads: 2, ffn: 128, vocabulary: 50, positions: 16, sparsity: 0.5 } as const;
const model = encoderModel(shape);
const count = ({ graph }: OnnxModel, type: string): number => graph.nodes.filter(({ opType }) => opType === type).length;

/** Start logits of one sequence in ONNX Runtime. */
async function logits(form: OnnxModel): Promise<number[]> {
  const { Tensor } = await import('onnxruntime-node');
  const session = await openPeer(encodeModel(form), 1);
  const ids = BigInt64Array.from({ length: 9 }, (_, i) => BigInt(i * 5));
  const feeds = {
    input_ids: new Tensor('int64', ids, [1, 9]),
    attention_mask: new Tensor(
      'int64',
      ids.map(() => 1n),
      [1, 9],
    ),
  };
  const { start_logits } = await session.run(feeds);
  await session.release();
  return Array.from(start_logits!.data as Float32Array);
}

it('writes a model with Q/DQ pairs and one with integer products that compute the same but for the rounding of biases', async () => {
  const [pairs, integers] = [withQdq(model), withIntegerProducts(model)];
  const products = count(model, 'MatMul');
  expect([count(pairs, 'MatMul'), count(integers, 'MatMul'), count(integers, 'MatMulInteger')]).toEqual([products, 0, products]);
  // Every product but the two of attention has a bias, which is added in s32.
  expect(count(integers, 'Add')).toBe(count(model, 'Add'));
  const [a, b] = [await logits(pairs), await logits(integers)];
  expect(a.some((value) => value !== a[0])).toBe(true);
  const spread = Math.max(...a) - Math.min(...a);
  for (const [i, value] of b.entries()) expect(Math.abs(value - a[i]!)).toBeLessThan(0.05 * spread);
});
