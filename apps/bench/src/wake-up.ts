import { Worker } from 'node:worker_threads';
import { median } from './race';

/** What the other thread does: waits a while, notes the time, and wakes who waits. Times are in microseconds from the machine's clock. */
const OTHER = `
  const { workerData } = require('node:worker_threads');
  const now = () => process.hrtime.bigint();
  const { flag, sent } = workerData;
  for (let round = 0; round < 300; round++) {
    const until = now() + 1000000n;
    while (now() < until);
    sent[0] = now();
    Atomics.store(flag, 0, round + 1);
    Atomics.notify(flag, 0);
    while (Atomics.load(flag, 1) !== round + 1);
  }
`;

/**
 * Microseconds, median, from one thread's call to the other's first step after a sleep of a millisecond: what this machine asks for any
 * answer that arrives while a thread sleeps. Blocks this thread for 0.4 s.
 */
export async function wakeUp(): Promise<number> {
  const flag = new Int32Array(new SharedArrayBuffer(8));
  const sent = new BigInt64Array(new SharedArrayBuffer(8));
  const worker = new Worker(OTHER, { eval: true, workerData: { flag, sent } });
  const waits: number[] = [];
  for (let round = 0; round < 300; round++) {
    Atomics.wait(flag, 0, round, 5000);
    waits.push(Number(process.hrtime.bigint() - sent[0]!) / 1000);
    Atomics.store(flag, 1, round + 1);
  }
  await worker.terminate();
  return median(waits);
}
