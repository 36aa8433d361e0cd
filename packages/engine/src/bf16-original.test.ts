import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Tensor, viewBytes } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { load } from './index';

const golden = join(
  process.env['NE_SHARED'] ?? fileURLToPath(new URL('../../../../shared', import.meta.url)),
  'reference',
  'golden',
  'small128',
);
const hasGolden = existsSync(golden);
if (!hasGolden) console.info("the original's bf16 file: not tested, the shared data folder is absent");

function npy(path: string): Tensor {
  const bytes = readFileSync(path);
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, start);
  const dims = [...header.match(/'shape': \(([^)]*)\)/)![1]!.matchAll(/\d+/g)].map(Number);
  const dtype = header.includes('<f4') ? 'f32' : header.includes('<i4') ? 's32' : 's64';
  return { dtype, dims, data: viewBytes(dtype, new Uint8Array(bytes.subarray(start))) };
}

describe.runIf(hasGolden)("the original's bf16 file", () => {
  // The original also rounds what lies between its products; its GELU is the tanh form.
  it.each(['b1s17', 'b1s64', 'b2s32'])('runs on bf16 kernels and gives what the original gave for %s', async (shape) => {
    const model = await load(join(golden, 'bf16-ir-1.3'), { cache: false });
    expect(model.kernels.filter(({ kernel }) => kernel.includes('_bf16_')).length).toBeGreaterThanOrEqual(12);
    const session = await model.session({ threads: 1 });
    try {
      const feeds = Object.fromEntries(model.inputs.map(({ name }) => [name, npy(join(golden, 'inputs', `${shape}.${name}.npy`))]));
      const [got] = Object.values(await session.run(feeds));
      const want = npy(join(golden, 'outputs', `bf16-ir-1.3.${shape}.npy`)).data as Float32Array;
      const data = got!.data as Float32Array;
      expect(data.length).toBe(want.length);
      // Positions that the mask hides carry no meaning, and are zeros here.
      const mask = Array.from(feeds['attention_mask']!.data as ArrayLike<number | bigint>, Number);
      const [perToken, tokens] = [data.length / mask.length, mask.filter(Boolean).length];
      const distances = data.map((value, i) => (mask[Math.floor(i / perToken)] ? Math.abs(value - want[i]!) : 0));
      expect(distances.reduce((a, b) => a + b, 0) / (tokens * perToken)).toBeLessThan(0.02);
    } finally {
      await session.close();
    }
  });
});
