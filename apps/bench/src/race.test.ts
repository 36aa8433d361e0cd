import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
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
  it('waits for threads that still spin', async () => {
    const worker = new Worker('const end = Date.now() + 150; while (Date.now() < end);', { eval: true });
    await once(worker, 'online');
    const started = performance.now();
    await calm();
    expect(performance.now() - started).toBeGreaterThan(100);
    await worker.terminate();
  });
  it('takes the middle of both', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
  });
});
