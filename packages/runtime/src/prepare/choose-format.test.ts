import { isa, type LinearCandidate, linearCandidates, type WeightFormat } from '@neural-engine/kernels';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { chooseFormat } from './choose-format';
import { type TimeFormats, timeFormats, tuningOf } from './time-formats';

/** Says that each form takes as many seconds as told. */
const taking =
  (seconds: Partial<Record<WeightFormat, number>>): TimeFormats =>
  (_weight, _zeros, candidates) =>
    new Map(candidates.map(({ format }) => [format, seconds[format]!]));

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
      expect(choice.reason).toMatch(new RegExp(`^${zeros}\\.0% of its 4x1 blocks are zero: \\S+ modelled [\\d.]+× as fast as \\S+$`));
    }
  });
  it('skips zeros where nearly all are', () => expect(chooseFormat(weight(64, 100, 95), 's8', {})).toMatchObject({ format: 'sparse4x1' }));
  it('takes a dense form where there are none, except where the kernel for the sparse one is faster even so', () => {
    const inPairs = linearCandidates(64, 128, 16 * 128, 2)[0]!.kernel === 'spmm_u8s8_4x1_avx2';
    const dense = { format: tiles ? 'tiled' : 'dense', gain: 1 };
    expect(chooseFormat(weight(64, 128, 0), 's8', {})).toMatchObject(inPairs ? { format: 'sparse4x1' } : dense);
  });
  it('keeps rows that are no multiple of four dense and says so', () => {
    const choice = chooseFormat(weight(6, 100, 90), 's8', {});
    expect(choice).toMatchObject({ format: 'dense', reason: '6 output channels are no multiple of 4' });
  });
});

describe('ties of the cost model', () => {
  /** The best form for that share of zeros, and the best of the other kind. */
  const two = (zeros: number) => {
    const found = linearCandidates(256, 400, 64 * 4 * (100 - zeros), 2);
    const skips = ({ format }: LinearCandidate): boolean => format === 'sparse4x1' || format === 'compressed4x1';
    return [found[0]!, found.find((candidate) => skips(candidate) !== skips(found[0]!))!] as const;
  };
  const lead = (zeros: number): number => two(zeros)[1].cycles / two(zeros)[0].cycles;
  /** Zeros at which they are modelled to be closest. */
  const zeros = Array.from({ length: 99 }, (_, i) => i + 1).reduce((a, b) => (lead(b) < lead(a) ? b : a));
  const tied = weight(256, 400, zeros);
  const candidates = linearCandidates(256, 400, 64 * 4 * (100 - zeros), 2);
  const [best, second] = two(zeros);
  const rest = { dense: 9, sparse4x1: 9, tiled: 9, compressed4x1: 9 };

  it('has such a tie to look at', () => expect(lead(zeros)).toBeLessThan(1.15));
  it.each([1, 2, 1.2])('takes the modelled best where the other is measured %f× as slow, and says what was measured', (times) => {
    const choice = chooseFormat(tied, 's8', {}, taking({ ...rest, [best.format]: 1, [second.format]: times }));
    expect(choice.format).toBe(best.format);
    expect(choice.reason).toBe(
      `${zeros.toFixed(1)}% of its 4x1 blocks are zero: ${best.kernel} measured ${times.toFixed(2)}× as fast as ${second.kernel}`,
    );
  });
  it('takes the other where it is measured clearly faster, not where it is noise', () => {
    const faster = chooseFormat(tied, 's8', {}, taking({ ...rest, [best.format]: 1.5, [second.format]: 1 }));
    expect(faster).toMatchObject({
      format: second.format,
      reason: expect.stringContaining(`${second.kernel} measured 1.50× as fast as`),
    });
    expect(faster.gain).toBe(second.format === 'dense' ? 1 : 1.5);
    const noise = chooseFormat(tied, 's8', {}, taking({ ...rest, [best.format]: 1.02, [second.format]: 1 }));
    expect(noise.format).toBe(best.format);
  });
  it('measures nothing where the costs are clear, for floats, whose forms may differ in bits, and where only one kind is allowed', () => {
    const time = vi.fn(taking({}));
    chooseFormat(weight(64, 100, 95), 's8', {}, time);
    chooseFormat(tied, 'f32', {}, time);
    chooseFormat(tied, 'bf16', {}, time);
    if (!tiles) chooseFormat(tied, 's8', { policy: 'threshold' }, time);
    expect(time).not.toHaveBeenCalled();
  });
  it('without a clock decides by the costs alone and says so', () => {
    const choice = chooseFormat(tied, 's8', {});
    expect(choice).toMatchObject({ format: candidates[0]!.format, reason: expect.stringContaining(' modelled ') });
    expect(chooseFormat(tied, 's8', {})).toEqual(choice);
  });
  it('measures a shape and share of zeros once a process', () => {
    const first = timeFormats(tied, zeros / 100, candidates);
    expect([...first.keys()].sort()).toEqual(candidates.map(({ format }) => format).sort());
    for (const seconds of first.values()) expect(seconds).toBeGreaterThan(0);
    expect(timeFormats(weight(256, 400, zeros), zeros / 100 - 0.0001, [...candidates].reverse())).toBe(first);
    expect(timeFormats(tied, zeros / 100 + 0.05, candidates)).not.toBe(first);
  });
});

describe('NE_TUNE', () => {
  afterEach(() => vi.unstubAllEnvs());
  it('turns measuring off, unless the caller says otherwise', () => {
    expect(tuningOf(undefined)).toBe('on');
    vi.stubEnv('NE_TUNE', 'off');
    expect([tuningOf(undefined), tuningOf('on')]).toEqual(['off', 'on']);
    vi.stubEnv('NE_TUNE', 'no');
    expect(() => tuningOf(undefined)).toThrow(expect.objectContaining({ code: 'E_USAGE', message: 'NE_TUNE=no: expected on or off' }));
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
