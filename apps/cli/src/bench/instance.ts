import type { Tensor } from '@neural-engine/core';
import { windowSpread } from './stable-window';

/** What one instance runs, again and again, with one run in flight. */
export interface Load {
  run(): Promise<unknown>;
  readonly warmup: number;
  readonly iterations: number;
  /** Go on, by `iterations` runs, until three windows agree within this share; ten times `iterations` at most. */
  readonly stable?: number;
  readonly signal?: AbortSignal;
}

export interface InstanceTimes {
  /** Milliseconds of each measured run, in order. */
  readonly latenciesMs: number[];
  /** From the start of the first measured run to the end of the last. */
  readonly elapsedMs: number;
  /** The signal ended it before all runs were done. */
  readonly interrupted: boolean;
}

const MOST_WINDOWS = 10;

/** Runs before measuring. */
export async function warmUp({ run, warmup, signal }: Load): Promise<void> {
  for (let i = 0; i < warmup && !signal?.aborted; i++) await run();
}

/** The measured runs. */
export async function measureInstance({ run, iterations, stable, signal }: Load): Promise<InstanceTimes> {
  const latenciesMs: number[] = [];
  const started = performance.now();
  let before = started;
  const more = (): boolean => {
    if (latenciesMs.length < iterations) return true;
    if (stable === undefined || latenciesMs.length >= MOST_WINDOWS * iterations) return false;
    if (latenciesMs.length % iterations > 0) return true;
    const recent = latenciesMs.slice(-3 * iterations);
    return recent.length < 3 * iterations || (windowSpread(recent) ?? Number.POSITIVE_INFINITY) > stable;
  };
  while (more() && !signal?.aborted) {
    await run();
    const now = performance.now();
    latenciesMs.push(now - before);
    before = now;
  }
  return { latenciesMs, elapsedMs: before - started, interrupted: latenciesMs.length < iterations };
}

/** Keeps an instance busy, unmeasured, while others still measure: otherwise the slowest would be measured alone. */
export async function keepBusy(run: () => Promise<unknown>, until: AbortSignal): Promise<void> {
  while (!until.aborted) await run();
}

export type BenchFeeds = Readonly<Record<string, Tensor>>;
