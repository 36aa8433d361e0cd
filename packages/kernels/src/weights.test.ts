import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineError } from '@neural-engine/core';
import { afterAll, expect, it } from 'vitest';
import { NativeSession, openWeights, Program, packWeights, type WeightSpec } from './index';
import { linearProgram, linearResult, linearWeights } from './testing';

const folder = mkdtempSync(join(tmpdir(), 'ne-kernels-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const { matrix, bias, specs } = linearWeights(17, 24);
const code = (call: () => unknown): string => {
  try {
    call();
  } catch (error) {
    return EngineError.isInstance(error) ? error.code : String(error);
  }
  return 'accepted';
};

it('describes its entries and keeps the text it was packed with', () => {
  const set = packWeights([...specs, { kind: 'linear_u8s8', format: 'sparse4x1', m: 4, k: 3, order: 'km', data: new Int8Array(12) }], {
    meta: 'graph ü',
  });
  expect(set.length).toBe(3);
  expect(set.meta).toBe('graph ü');
  expect(set.mapped).toBe(false);
  expect(set.entries[0]).toMatchObject({ kind: 'linear_f32', format: 'dense', m: 17, k: 24 });
  expect(set.entries[1]).toEqual({ kind: 'tensor', dtype: 'f32', dims: [17], sizeBytes: 68 });
  expect(set.kernels).toEqual([expect.stringMatching(/^dense_f32/), null, expect.stringMatching(/^spmm_u8s8_4x1/)]);
  expect(set.sizeBytes).toBeGreaterThan(17 * 24 * 4);
});

it('runs the same from memory, from a mapped file and from a copy of it', async () => {
  const file = join(folder, 'made', 'here', 'model.neweights');
  const sets = [
    packWeights(specs),
    packWeights(specs, { file, meta: 'm' }),
    openWeights(file)!,
    openWeights(file, { copyWeights: true, verify: true })!,
  ];
  expect(sets.map(({ mapped }) => mapped)).toEqual([false, true, true, false]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const x = Float32Array.from({ length: 10 * 24 }, (_, i) => (i % 9) - 4);
  const session = new NativeSession({ threads: 1 });
  for (const set of sets) {
    const y = new Float32Array(10 * 17);
    await session.run(new Program(linearProgram(10, 17, 24), set), [x], [y]);
    expect(y).toEqual(linearResult(x, matrix, bias));
  }
  await session.close();
});

it('gives null for an absent or cut file and typed errors for others', () => {
  const file = join(folder, 'typed.neweights');
  expect(openWeights(file)).toBeNull();
  packWeights(specs, { file });
  const good = readFileSync(file);
  truncateSync(file, good.length - 1);
  expect(openWeights(file)).toBeNull();
  truncateSync(file, 0);
  expect(openWeights(file)).toBeNull();
  const put = (bytes: Uint8Array): void => writeFileSync(file, bytes, { mode: 0o600 });
  put(Buffer.from(`<html>${'x'.repeat(500)}`));
  expect(code(() => openWeights(file))).toBe('E_IR_MISMATCH');
  const damaged = Buffer.from(good);
  damaged[damaged.length - 3]! ^= 1;
  put(damaged);
  expect(code(() => openWeights(file))).toBe('E_IR_MISMATCH');
  put(good);
  chmodSync(file, 0o622);
  expect(code(() => openWeights(file))).toBe('E_PATH');
  expect(code(() => openWeights(folder))).toBe('E_PATH');
});

it('keeps the cache folder below its limit', () => {
  const at = (name: string): string => join(folder, 'limited', `${name}.neweights`);
  for (const name of ['a', 'b', 'c']) packWeights(specs, { file: at(name) });
  const size = statSync(at('a')).size;
  packWeights(specs, { file: at('d'), cacheBytes: 2 * size });
  expect(existsSync(at('d'))).toBe(true);
  expect(['a', 'b', 'c'].filter((name) => existsSync(at(name)))).toHaveLength(1);
});

it('refuses sources that do not hold what the spec says', () => {
  const data = new Float32Array(6);
  const cases: [WeightSpec, string][] = [
    [{ kind: 'tensor', dtype: 'f32', dims: [7], data }, 'E_USAGE'],
    [{ kind: 'tensor', dtype: 's32', dims: [6], data }, 'E_USAGE'],
    [{ kind: 'tensor', dtype: 'f32', dims: [-1], data }, 'E_USAGE'],
    [{ kind: 'tensor', dtype: 'f32', dims: [2 ** 32, 2 ** 32], data }, 'E_LIMIT'],
    [{ kind: 'linear_f32', format: 'dense', m: 2, k: 4, order: 'mk', data }, 'E_USAGE'],
    [{ kind: 'linear_f32', format: 'dense', m: 0, k: 6, order: 'mk', data }, 'E_USAGE'],
    [{ kind: 'linear_u8s8', format: 'sparse4x1', m: 6, k: 1, order: 'mk', data: new Int8Array(6) }, 'E_IR'],
    [{ kind: 'linear_u8s8', format: 'dense', m: 1, k: 6, order: 'mk', data: data as unknown as Int8Array }, 'E_USAGE'],
    [{ kind: 'linear_f32', format: 'blocky' as 'dense', m: 1, k: 6, order: 'mk', data }, 'E_USAGE'],
  ];
  for (const [spec, expected] of cases)
    expect(
      code(() => packWeights([spec])),
      JSON.stringify(spec),
    ).toBe(expected);
});

it('refuses a program that does not fit its weights, naming the place', () => {
  const set = packWeights(specs);
  expect(() => new Program(linearProgram(10, 17, 25), set)).toThrow(/region 1: step 0 \(linear\): x has 25 features, expected 24/);
  expect(() => new Program('{', set)).toThrow(/this is no program/);
  expect(code(() => new Program({ ...linearProgram(1, 17, 24), abi: 99 }, set))).toBe('E_IR_MISMATCH');
});
