import { describe, expect, it } from 'vitest';
import { calm, fastestOf, median, pairedRatio, race } from './race';

describe('race', () => {
  it('runs everyone once a round in turning order, and drops the warm-up', async () => {
    const order: string[] = [];
    const contestant = (name: string, time: number) => async () => {
      order.push(name);
      return time;
    };
    const times = await race(
      new Map([
        ['slow', contestant('slow', 6)],
        ['fast', contestant('fast', 2)],
      ]),
      { seconds: 0, atLeast: 3 },
    );
    expect([...times]).toEqual([
      ['slow', [6, 6, 6]],
      ['fast', [2, 2, 2]],
    ]);
    expect(order.slice(-6)).toEqual(['slow', 'fast', 'fast', 'slow', 'slow', 'fast']);
    expect(pairedRatio(times, 'fast', 'slow')).toBe(3);
    expect(fastestOf(times, ['slow', 'fast'])).toBe('fast');
  });
  it('waits for threads that still spin, but not for ever', async () => {
    const loads = [1.9, 1, 0.3, 0.1, 1];
    await calm(async () => loads.shift()!);
    expect(loads).toEqual([1]);
    let looks = 0;
    await calm(async () => ++looks);
    expect(looks).toBe(40);
  });
  it('takes the middle of both', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
  });
});
