import { expect, it } from 'vitest';
import { instructionRates, isa } from './index';

it('measures each multiply-add instruction that the CPU has', () => {
  const { features } = isa();
  const rates = instructionRates();
  const expected = [
    ['vpdpbusd zmm', 'avx512vnni'],
    ['vpdpbusd ymm', 'avxvnni'],
    ['vpmaddwd ymm', 'avx2'],
    ['vdpbf16ps zmm', 'avx512bf16'],
    ['vfmadd231ps zmm', 'avx512f'],
    ['vfmadd231ps ymm', 'fma'],
  ].flatMap(([instruction, feature]) => (features.includes(feature!) ? [instruction] : []));
  expect(rates.map(({ instruction }) => instruction)).toEqual(expected);
  for (const { gmacs } of rates) expect(gmacs).toBeGreaterThan(1);
});
