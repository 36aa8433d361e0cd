import { describeWeight } from '@neural-engine/sparsity';
import { describe, expect, it } from 'vitest';
import { heatMapPage } from './heat-map';

/** [out 8, in 4] with one 4x1 block. */
const data = new Float32Array(32);
for (let row = 0; row < 4; row++) data[row * 4 + 2] = 1;
const weight = { data, out: 8, in: 4, transposed: true };

describe('heatMapPage', () => {
  it('draws every weight, and nothing of a name reaches the page unescaped', () => {
    const page = heatMapPage('a <b>', [{ name: '<script>alert(1)</script>\x1b[2J', weight, report: describeWeight(weight) }]);
    expect(page).not.toContain('<script>');
    expect(page).not.toContain('\x1b');
    expect(page.match(/<svg/g)).toHaveLength(3);
    expect(page).toContain('M2 0h1v1h-1z');
    expect(page).not.toMatch(/src=|href="[^#]/);
  });
  it('names the kernel that an engine chose, and what the zeros alone would decide where that is something else', () => {
    // Seven of eight blocks are zero.
    const report = describeWeight(weight);
    const chosen = { kernel: 'dense_u8s8_x', sparse: false, reason: 'it is small', gain: 1, savedBytes: 0 };
    const page = heatMapPage('one', [{ name: 'w', weight, report, chosen }]);
    expect(page).toContain(
      'Runs on dense_u8s8_x: it is small. Its zeros alone would decide for sparse 4x1: 87.5% of its 4x1 blocks are zero, at least 45.0%.',
    );
    expect(page).toContain('<td>dense_u8s8_x</td>');
    expect(page).toContain('0 of 1 weights run on the sparse kernels');
    const same = heatMapPage('one', [
      { name: 'w', weight, report, chosen: { ...chosen, kernel: 'spmm_x', sparse: true, gain: 3.14, savedBytes: 5000 } },
    ]);
    expect(same).toContain('Runs on spmm_x: it is small; about 3.1× the dense kernel&#39;s speed to expect, 5 kB saved.');
    expect(same).not.toContain('zeros alone');
  });
});
