import { describe, expect, it } from 'vitest';
import { activationTable, erf } from './activation-table';
import { codeU8 } from './codes';

describe('erf', () => {
  // Values of Abramowitz & Stegun, table 7.1, and of the complementary function beyond it.
  it.each([
    [0, 0],
    [0.5, 0.520499877813],
    [1, 0.84270079295],
    [2, 0.995322265019],
    [2.999, 0.99997776983],
    [3.001, 0.99997804832],
    [4, 0.999999984583],
  ])('erf(%d) = %d', (x, expected) => {
    expect(erf(x)).toBeCloseTo(expected, 8);
    expect(erf(-x)).toBeCloseTo(-expected, 8);
  });
});

describe('activationTable', () => {
  it('holds the code of GELU for each code of its argument', () => {
    const [from, to] = [codeU8(-4, 4), codeU8(-0.17, 4)];
    const table = activationTable('gelu_erf', from, to);
    for (const x of [-4, -1, -0.1, 0, 0.1, 1, 3.9]) {
      const q = Math.round(x * from.scale) + from.zero;
      const seen = (q - from.zero) / from.scale;
      const y = (table[q]! - to.zero) / to.scale;
      expect(Math.abs(y - 0.5 * seen * (1 + erf(seen / Math.SQRT2)))).toBeLessThanOrEqual(0.51 / to.scale);
    }
  });
});
