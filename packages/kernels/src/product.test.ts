import { EngineError } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { gemm, packDense, packSparse, spmm } from './index';

const [M, K, N] = [8, 30, 77] as const;
const weight = Int8Array.from({ length: M * K }, (_, i) => (Math.floor(i / 4) % 3 ? 0 : ((i * 37) % 256) - 128));
const x = Uint8Array.from({ length: K * N }, (_, i) => (i * 91) % 256);
const sums = Int32Array.from({ length: M * N }, (_, i) => {
  let sum = 0;
  for (let k = 0; k < K; k++) sum += weight[Math.floor(i / N) * K + k]! * x[k * N + (i % N)]!;
  return sum;
});
const sparse = packSparse(weight, { block: '4x1', m: M, k: K });
const dense = packDense(weight, { m: M, k: K });
const refused = (call: () => unknown): string => {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(EngineError);
    return `${(error as EngineError).code} ${(error as EngineError).message}`;
  }
  return 'accepted';
};

describe('a single product', () => {
  it('is the plain sum, sparse or dense', () => {
    expect(spmm(sparse, x, { n: N, out: 's32' })).toEqual(sums);
    expect(gemm(dense, x, { n: N, out: 's32' })).toEqual(sums);
    expect(dense.density).toBe(1);
    expect([sparse.m, sparse.k, sparse.sparse, dense.sparse]).toEqual([M, K, true, false]);
  });

  it('scales per row and adds a bias, in f32 or rounded to u8 with a zero point', () => {
    const scale = Float32Array.from({ length: M }, (_, m) => 2 ** -(m + 6));
    const bias = Float32Array.from({ length: M }, (_, m) => m / 2);
    const want = (i: number): number => sums[i]! * scale[Math.floor(i / N)]! + bias[Math.floor(i / N)]!;
    expect([...spmm(sparse, x, { n: N, out: 'f32', scale, bias })]).toEqual([...sums.keys()].map((i) => Math.fround(want(i))));
    const even = (value: number): number => (Math.abs(value % 1) === 0.5 ? 2 * Math.round(value / 2) : Math.round(value));
    expect([...gemm(dense, x, { n: N, out: 'u8', scale, bias, zero: 100 })]).toEqual(
      [...sums.keys()].map((i) => Math.min(255, Math.max(0, even(want(i) + 100)))),
    );
  });

  it('writes where it is told to and handles empty activations', () => {
    const dst = new Int32Array(M * N);
    expect(spmm(sparse, x, { n: N, out: 's32', dst })).toBe(dst);
    expect(dst).toEqual(sums);
    expect(spmm(sparse, new Uint8Array(0), { n: 0, out: 'f32' })).toHaveLength(0);
  });

  it('refuses a dst that shares memory with the activation', () => {
    const buffer = new ArrayBuffer(K * N + M * N);
    const overlapping = new Uint8Array(buffer, 0, K * N);
    expect(refused(() => spmm(sparse, overlapping, { n: N, out: 'u8', dst: new Uint8Array(buffer, K * N - 1, M * N) }))).toMatch(
      /^E_USAGE dst shares memory with x/,
    );
    spmm(sparse, overlapping, { n: N, out: 'u8', dst: new Uint8Array(buffer, K * N, M * N) });
  });

  it('refuses lengths, types and options that do not fit, by name', () => {
    expect(refused(() => spmm(sparse, x, { n: N + 1, out: 's32' }))).toMatch(/^E_USAGE x: expected 2340/);
    expect(refused(() => spmm(sparse, x, { n: -1, out: 's32' }))).toMatch(/^E_USAGE n/);
    expect(refused(() => spmm(sparse, x, { n: N, out: 's32', dst: new Int32Array(3) }))).toMatch(/^E_USAGE (y|dst)/);
    expect(refused(() => spmm(sparse, x, { n: N, out: 's32', dst: new Float32Array(M * N) }))).toMatch(/^E_USAGE dst/);
    expect(refused(() => spmm(sparse, x, { n: N, out: 'f32', bias: new Float32Array(1) }))).toMatch(/^E_USAGE bias/);
    expect(refused(() => spmm(sparse, x, { n: N, out: 's32', scale: 2 }))).toMatch(/^E_USAGE s32/);
    expect(refused(() => spmm(dense, x, { n: N, out: 's32' }))).toMatch(/^E_USAGE spmm/);
    expect(refused(() => gemm(sparse, x, { n: N, out: 's32' }))).toMatch(/^E_USAGE gemm/);
    expect(refused(() => spmm(sparse, new Int8Array(K * N) as unknown as Uint8Array, { n: N, out: 's32' }))).toMatch(/^E_USAGE x/);
    expect(refused(() => packSparse(weight, { block: '4x1', m: 6, k: 40 }))).toMatch(/^E_USAGE .*multiple of 4/);
    expect(refused(() => packSparse(weight, { block: '4x1', m: M, k: K + 1 }))).toMatch(/^E_USAGE weight/);
    expect(refused(() => packDense(weight, { m: 0, k: 0 }))).toMatch(/^E_USAGE/);
    expect(refused(() => packDense(weight, { m: 1 << 16, k: 1 << 16 }))).toMatch(/^E_/);
  });

  it('W7: equals the plain sum for every small size and tail', () => {
    for (const [m, k, n] of [
      [4, 1, 1],
      [4, 2, 63],
      [8, 3, 64],
      [12, 4, 65],
      [4, 17, 255],
      [16, 257, 257],
    ] as const) {
      const w = Int8Array.from({ length: m * k }, (_, i) => (i % 5 ? 0 : ((i * 29) % 256) - 128));
      const a = Uint8Array.from({ length: k * n }, (_, i) => (i * 53) % 256);
      const want = Int32Array.from({ length: m * n }, (_, i) => {
        let sum = 0;
        for (let j = 0; j < k; j++) sum += w[Math.floor(i / n) * k + j]! * a[j * n + (i % n)]!;
        return sum;
      });
      expect(spmm(packSparse(w, { block: '4x1', m, k }), a, { n, out: 's32' })).toEqual(want);
      expect(gemm(packDense(w, { m, k }), a, { n, out: 's32' })).toEqual(want);
    }
  });
});
