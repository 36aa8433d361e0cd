import { describe, expect, it } from 'vitest';
import { cornerGrid, densityGrid } from './index';

/** [out 8, in 4] with one 4x1 block. */
const data = new Float32Array(32);
for (let row = 0; row < 4; row++) data[row * 4 + 2] = 1;
const weight = { data, out: 8, in: 4, transposed: true };

describe('densityGrid', () => {
  it('keeps 4x1 blocks in one cell', () => {
    expect(densityGrid(weight)).toEqual({ rows: 2, cols: 4, density: Float32Array.of(0, 0, 1, 0, 0, 0, 0, 0) });
  });
  it('reads both storage orders alike', () => {
    const turned = { ...weight, transposed: false, data: data.map((_, i) => data[(i % 8) * 4 + Math.floor(i / 8)]!) };
    expect(cornerGrid(turned)).toEqual(cornerGrid(weight));
  });
});
