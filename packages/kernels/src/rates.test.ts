import { expect, it } from 'vitest';
import { instructionRates, isa, rateOfKernel } from './index';

it('measures each multiply-add instruction that the CPU has', () => {
  const { features, tier } = isa();
  const rates = instructionRates();
  const expected = [
    ['tdpbusd tmm', tier === 'amx'],
    ['vpdpbusd zmm', features.includes('avx512vnni')],
    ['vpdpbusd ymm', features.includes('avxvnni')],
    ['vpmaddwd ymm', features.includes('avx2')],
    ['tdpbf16ps tmm', tier === 'amx'],
    ['vdpbf16ps zmm', features.includes('avx512bf16')],
    ['vfmadd231ps zmm', features.includes('avx512f')],
    ['vfmadd231ps ymm', features.includes('fma')],
  ].flatMap(([instruction, has]) => (has ? [instruction] : []));
  expect(rates.map(({ instruction }) => instruction)).toEqual(expected);
  for (const { gmacs } of rates) expect(gmacs).toBeGreaterThan(1);
});

it.each([
  ['dense_u8s8_amx', 'tdpbusd tmm'],
  ['spmm_u8s8_4x1_avx512_vnni', 'vpdpbusd zmm'],
  ['attention_u8s8_4x16_avx_vnni', 'vpdpbusd ymm'],
  ['dense_u8s8_4x16_avx2', 'vpmaddwd ymm'],
  ['attention_i8', 'vpdpbusd zmm'],
  ['dense_bf16_32x32_amx', 'tdpbf16ps tmm'],
  ['spmm_bf16_4x1_avx512_bf16', 'vdpbf16ps zmm'],
  ['spmm_bf16_4x1_avx512', 'vfmadd231ps zmm'],
  ['dense_bf16_4x16_avx2', 'vfmadd231ps ymm'],
  ['spmm_f32_4x1_avx512', 'vfmadd231ps zmm'],
  ['attention', 'vfmadd231ps zmm'],
  ['layer_norm', undefined],
])('compares %s with %s', (kernel, instruction) => {
  const all = ['tdpbusd tmm', 'vpdpbusd zmm', 'vpdpbusd ymm', 'vpmaddwd ymm', 'tdpbf16ps tmm', 'vdpbf16ps zmm', 'vfmadd231ps zmm'];
  const rates = [...all, 'vfmadd231ps ymm'].map((name, i) => ({ instruction: name, gmacs: i + 1 }));
  expect(rateOfKernel(kernel, rates)?.instruction).toBe(instruction);
  expect(rateOfKernel(kernel, [])).toBeUndefined();
});
