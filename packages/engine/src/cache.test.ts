import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeModel } from '@neural-engine/onnx';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encoderModel } from '../../../tooling/models/encoder';
import { cacheLimit } from './cache';
import { type LoadOptions, load } from './index';

const folder = mkdtempSync(join(tmpdir(), 'ne-cache-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => {
  delete process.env['NE_CACHE_BYTES'];
});
const models = [1, 2, 3].map((seed) => join(folder, `${seed}.onnx`));
beforeAll(async () => {
  const shape = { family: 'distilbert', layers: 1, hidden: 64, heads: 2, ffn: 64, vocabulary: 100, positions: 64 } as const;
  for (const [i, path] of models.entries()) await writeModel(encoderModel({ ...shape, seed: i + 1 }), path);
});
const packed = (cache: string): string[] => readdirSync(cache).filter((name) => name.endsWith('.neweights'));

describe('the cache of packed weights', () => {
  it('keeps below its limit by removing what was unused for longest, and what killed writers left', async () => {
    const cache = join(folder, 'limited');
    for (const model of models.slice(0, 2)) await load(model, { cache });
    expect(packed(cache)).toHaveLength(2);
    const left = join(cache, '.ne-writing-4194305-0');
    writeFileSync(left, 'half');
    process.env['NE_CACHE_BYTES'] = String(Math.floor(1.5 * statSync(join(cache, packed(cache)[0]!)).size));
    expect((await load(models[2]!, { cache })).warm).toBe(false);
    expect(packed(cache)).toHaveLength(1);
    expect(existsSync(left)).toBe(false);
    expect((await load(models[2]!, { cache })).warm).toBe(true);
  });

  it('keeps what a clock has chosen apart from what the costs alone choose, and thresholds that mean the same together', async () => {
    const cache = join(folder, 'tuned');
    const [model] = models;
    const warm = async (options: LoadOptions): Promise<boolean> => (await load(model!, { cache, ...options })).warm;
    expect([await warm({}), await warm({ tune: 'off' }), await warm({ tune: 'on' }), await warm({ tune: 'off' })]).toEqual([
      false,
      false,
      true,
      true,
    ]);
    expect([await warm({ sparse: 'threshold' }), await warm({ sparse: 'threshold', sparseThreshold: 0.7 })]).toEqual([false, true]);
    expect(await warm({ sparse: 'auto', sparseThreshold: 0.6 })).toBe(true);
  });

  it('leaves a folder of the caller alone', async () => {
    process.env['NE_CACHE_BYTES'] = '1';
    for (const [i, model] of models.entries()) await load(model, { packedFile: join(folder, 'own', `${i}.neweights`) });
    expect(packed(join(folder, 'own'))).toHaveLength(3);
  });

  it('has a limit of 8 GiB, or one in bytes', () => {
    expect(cacheLimit()).toBe(8 * 2 ** 30);
    for (const text of ['much', '-1', '1e9']) {
      process.env['NE_CACHE_BYTES'] = text;
      expect(() => cacheLimit()).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
    }
  });
});
