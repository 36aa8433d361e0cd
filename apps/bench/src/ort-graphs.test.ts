import { encodeModel } from '@neural-engine/onnx';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { bodyFeeds, ortBodyFeeds } from './feeds';
import { openBody, openPeer } from './models';
import { ortProduct } from './ort-graphs';

describe("ONNX Runtime's graphs", () => {
  it.each(['fp32', 'dynamic', 'qdq'] as const)('the %s body loads and gives finite values of the right shape', async (form) => {
    const session = await openBody(form, { layers: 1, hidden: 128, heads: 2, ffn: 256 }, 1);
    const { y } = await session.run(ortBodyFeeds(bodyFeeds({ batch: 2, seqLen: 9 }, 128)));
    await session.release();
    expect(y!.dims).toEqual([2, 9, 128]);
    const data = y!.data as Float32Array;
    expect(data.every(Number.isFinite)).toBe(true);
    expect(data.some((value) => value !== data[0])).toBe(true);
  });
  it('the products of both kinds agree about the sums', async () => {
    const x = new ort.Tensor(
      'uint8',
      Uint8Array.from({ length: 96 }, (_, i) => i * 2),
      [3, 32],
    );
    const [codes, sums] = await Promise.all(
      (['QLinearMatMul', 'MatMulInteger'] as const).map(async (form) => {
        const session = await openPeer(encodeModel(ortProduct(form, 32, 16)), 1);
        const { y } = await session.run({ x });
        await session.release();
        return Array.from(y!.data as Uint8Array, Number);
      }),
    );
    // Both hold the same sums, the first as codes of scale 0.05 around 128.
    for (const [i, code] of codes!.entries())
      expect(Math.abs(code - Math.max(0, Math.min(255, 128 + (sums![i]! * 0.02 * 0.002) / 0.05)))).toBeLessThanOrEqual(1);
  });
});
