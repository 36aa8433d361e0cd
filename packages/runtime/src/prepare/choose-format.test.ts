import { isa, linearCandidates } from '@neural-engine/kernels';
import { describe, expect, it } from 'vitest';
import { chooseFormat } from './choose-format';

/** s8 [out, in] whose first `zeros` of every hundred inputs are zero in all rows. */
function weight(out: number, inputs: number, zeros: number) {
  const data = Int8Array.from({ length: out * inputs }, (_, i) => ((i % inputs) % 100 < zeros ? 0 : 1));
  return { data, out, in: inputs, transposed: true };
}

const tiles = isa().tier === 'amx';
if (!tiles) console.info('formats for tiles: not chosen here, this CPU has no AMX');

describe('auto', () => {
  it('takes the cheapest form that the kernels offer, and says what that gains', () => {
    for (const zeros of [0, 30, 60, 80, 95]) {
      const choice = chooseFormat(weight(64, 100, zeros), 's8', {});
      const [best] = linearCandidates(64, 100, 16 * (100 - zeros), 2);
      expect(choice).toMatchObject({ format: best!.format, zeroRatio: zeros / 100 });
      expect(choice.reason).toMatch(new RegExp(`^${zeros}\\.0% of its 4x1 blocks are zero: .*× as fast as dense_`));
    }
  });
  it('skips zeros where nearly all are, and none where there are none', () => {
    expect(chooseFormat(weight(64, 100, 95), 's8', {})).toMatchObject({ format: 'sparse4x1' });
    expect(chooseFormat(weight(64, 128, 0), 's8', {})).toMatchObject({ format: tiles ? 'tiled' : 'dense', gain: 1 });
  });
  it('keeps rows that are no multiple of four dense and says so', () => {
    const choice = chooseFormat(weight(6, 100, 90), 's8', {});
    expect(choice).toMatchObject({ format: 'dense', reason: '6 output channels are no multiple of 4' });
  });
});

it('lets the other policies decide whether zeros are skipped, and the kernels only how', () => {
  const sparse = ['sparse4x1', 'compressed4x1'];
  expect(sparse).toContain(chooseFormat(weight(64, 100, 5), 's8', { policy: 'always' }).format);
  expect(sparse).not.toContain(chooseFormat(weight(64, 100, 95), 's8', { policy: 'never' }).format);
  expect(sparse).not.toContain(chooseFormat(weight(64, 100, 69), 's8', { policy: 'threshold' }).format);
  const above = chooseFormat(weight(64, 100, 71), 's8', { policy: 'threshold' });
  expect(sparse).toContain(above.format);
  expect(above.reason).toBe('71.0% of its 4x1 blocks are zero, at least 70.0%');
});

it('decides f32 weights by their zeros alone', () => {
  const sparse = chooseFormat(weight(64, 100, 80), 'f32', { breakEven: 0.4 });
  expect(sparse).toMatchObject({ format: 'sparse4x1', sparse: true });
  expect(sparse.gain).toBeCloseTo(3, 5);
  expect(chooseFormat(weight(64, 100, 10), 'f32', {})).toMatchObject({ format: 'dense', sparse: false, gain: 1 });
});
