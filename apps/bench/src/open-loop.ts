import { EngineError } from '@neural-engine/core';
import type { Feeds, Pool } from '@neural-engine/engine';

/** What became of the requests of one stretch of time. */
export interface LoadOutcome {
  /** Answers a second. */
  readonly throughput: number;
  /** Milliseconds from `run` to the answer, ascending. */
  readonly latenciesMs: readonly number[];
  /** Milliseconds from `run` to the refusal, ascending. */
  readonly refusalsMs: readonly number[];
}

const ascending = (values: number[]): number[] => values.sort((a, b) => a - b);

/**
 * Sends requests at a rate, whether or not earlier ones are answered: gaps are exponential, as those of many independent callers.
 * Waits for all answers in the end.
 */
export async function openLoop(pool: Pool, feeds: Feeds, perSecond: number, seconds: number, random: () => number): Promise<LoadOutcome> {
  const [latenciesMs, refusalsMs, requests]: [number[], number[], Promise<void>[]] = [[], [], []];
  const started = performance.now();
  let next = started;
  let last = started;
  while (next < started + seconds * 1000) {
    const wait = next - performance.now();
    if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
    // Requests that are due together are sent together; a turn of the event loop lets answers in.
    else await new Promise((resolve) => setImmediate(resolve));
    while (next <= performance.now() && next < started + seconds * 1000) {
      requests.push(send());
      next += (-Math.log(1 - random()) * 1000) / perSecond;
    }
  }
  await Promise.all(requests);
  return {
    throughput: (latenciesMs.length * 1000) / (last - started),
    latenciesMs: ascending(latenciesMs),
    refusalsMs: ascending(refusalsMs),
  };

  async function send(): Promise<void> {
    const sent = performance.now();
    try {
      await pool.run(feeds);
      last = performance.now();
      latenciesMs.push(last - sent);
    } catch (error) {
      if (!EngineError.isInstance(error) || error.code !== 'E_OVERLOAD') throw error;
      refusalsMs.push(performance.now() - sent);
    }
  }
}
