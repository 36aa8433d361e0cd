import { describe, expect, it } from 'vitest';
import { ChannelExtents } from './extents';
import { chooseMultipliers } from './multipliers';
import { chooseOutliers } from './outliers';
import type { WeightView } from './weight-view';

/** Channels whose values reach so far on both sides. */
function reaching(reaches: readonly number[]): ChannelExtents {
  const extents = new ChannelExtents(reaches.length);
  for (const share of [1, -0.9, 0.3, -0.2]) extents.add(Float32Array.from(reaches, (reach) => reach * share));
  return extents;
}

const weights = (outputs: number, inputs: number): WeightView => ({
  outputs,
  inputs,
  data: Float32Array.from({ length: outputs * inputs }, (_, i) => Math.sin(i * 12.9898)),
  at: (n, k) => n * inputs + k,
});

const flat = (channels: number, far: Readonly<Record<number, number>> = {}): number[] =>
  Array.from({ length: channels }, (_, c) => far[c] ?? 1 + (c % 3) * 0.1);

describe('extents of channels', () => {
  it('are the same in any order and any parts, and leave out what is not finite', () => {
    const rows = Array.from({ length: 60 }, (_, i) => Math.fround(Math.sin(i * 3.7) * 10 ** ((i % 5) - 2)));
    const once = new ChannelExtents(3);
    once.add(Float32Array.from(rows));
    const parts = new ChannelExtents(3);
    for (const from of [30, 0, 45, 15]) parts.add(Float32Array.from(rows.slice(from, from + 15)));
    expect(parts).toEqual(once);
    once.add(Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, 0));
    expect([once.reach(0), once.reach(1)]).toEqual([parts.reach(0), parts.reach(1)]);
  });
});

describe('multipliers', () => {
  it('bring a channel that reaches far nearer to the others, by powers of two', () => {
    const found = chooseMultipliers(reaching(flat(32, { 5: 40 })), [weights(16, 32)])!;
    expect([...found].every((m) => Number.isInteger(Math.log2(m)))).toBe(true);
    expect(found[5]! * 40).toBeLessThan(8 * found[4]!);
    expect(Math.max(...found)).toBeLessThanOrEqual(4 * found[4]!);
  });
  it('are none where channels reach alike', () => {
    expect(chooseMultipliers(reaching(flat(32)), [weights(16, 32)])).toBeUndefined();
  });
  it('are finite for channels without values or weights', () => {
    const view = weights(16, 32);
    for (let n = 0; n < 16; n++) view.data[view.at(n, 7)] = 0;
    const found = chooseMultipliers(reaching(flat(32, { 5: 40, 9: 0, 7: 1e30 })), [view])!;
    expect([...found].every((m) => Number.isFinite(m) && m > 0)).toBe(true);
  });
});

describe('outliers', () => {
  it('are whole blocks of the channels that reach much further', () => {
    expect(chooseOutliers(reaching(flat(64, { 9: 50, 40: 30 })), weights(16, 64))).toEqual([8, 9, 10, 11, 40, 41, 42, 43]);
  });
  it('are none where channels reach alike', () => {
    expect(chooseOutliers(reaching(flat(64)), weights(16, 64))).toEqual([]);
  });
});
