import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DType } from '@neural-engine/core';
import { afterAll, describe, expect, it } from 'vitest';
import { readTensors, tensorsToJson } from './tensor-files';

const folder = mkdtempSync(join(tmpdir(), 'ne-tensors-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function read(value: unknown, dtype: DType) {
  const path = join(folder, 'x.json');
  writeFileSync(path, JSON.stringify({ x: value }));
  return (await readTensors(path, [{ name: 'x', dtype, shape: [] }]))['x']!;
}

describe('tensors in JSON', () => {
  it('are nested numbers in the dtype of the input', async () => {
    expect(await read([[1, 2, 3]], 's64')).toEqual({ dtype: 's64', dims: [1, 3], data: BigInt64Array.of(1n, 2n, 3n) });
    expect(await read([[], []], 'f32')).toEqual({ dtype: 'f32', dims: [2, 0], data: new Float32Array(0) });
    expect(await read(7, 'u8')).toEqual({ dtype: 'u8', dims: [], data: Uint8Array.of(7) });
    expect(await read([true, 0], 'bool')).toEqual({ dtype: 'bool', dims: [2], data: Uint8Array.of(1, 0) });
    expect(await read([1.5], 'f16')).toEqual({ dtype: 'f16', dims: [1], data: Uint16Array.of(0x3e00) });
    expect(await read([1.5], 'bf16')).toEqual({ dtype: 'bf16', dims: [1], data: Uint16Array.of(0x3fc0) });
  });

  it.each<[string, unknown, DType]>([
    ['rows of different lengths that have as many numbers as equal ones', [[1, 2], [3, 4, 5], [6]], 'f32'],
    ['numbers beside arrays', [1, [2]], 'f32'],
    ['an array beside numbers', [[1], 2], 'f32'],
    ['deeper arrays than the first', [[1], [[2]]], 'f32'],
    ['texts', ['1'], 'f32'],
    ['null', [null], 'f32'],
    ['true for a number', [true], 'f32'],
    ['a fraction for an integer', [1.5], 's32'],
    ['a number beyond the dtype', [256], 'u8'],
    ['a negative number without a sign', [-1], 'u64'],
    ['an integer that JSON does not hold exactly', [2 ** 60], 's64'],
    ['a number that is neither true nor false', [2], 'bool'],
  ])('refuse %s', async (_, value, dtype) => {
    await expect(read(value, dtype)).rejects.toMatchObject({ code: 'E_REQUEST', where: 'x' });
  });

  it('hold the values of half-precision floats, not their bits', () => {
    const half = { dtype: 'f16' as const, dims: [1], data: Uint16Array.of(0x3e00) };
    expect(JSON.parse(tensorsToJson({ half }))).toEqual({ half: { dtype: 'f16', dims: [1], data: [1.5] } });
  });
});
