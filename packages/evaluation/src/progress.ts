import { EngineError } from '@neural-engine/core';
import type { Progress } from '@neural-engine/text';

/** How far an evaluation is. */
export interface EvaluationProgress extends Progress {
  readonly seconds: number;
  /** Estimated from the rate so far; undefined before the first item is done. */
  readonly secondsLeft: number | undefined;
}

export interface TimedProgress {
  update(progress: Progress): void;
  seconds(): number;
  done(): number;
}

/** Adds times to a pipeline's progress reports. */
export function timedProgress(report: ((progress: EvaluationProgress) => void) | undefined): TimedProgress {
  const begin = performance.now();
  const seconds = () => (performance.now() - begin) / 1000;
  let latest = 0;
  return {
    seconds,
    done: () => latest,
    update({ done, total }) {
      latest = done;
      if (report === undefined) return;
      const spent = seconds();
      report({ done, total, seconds: spent, secondsLeft: done === 0 ? undefined : (spent / done) * (total - done) });
    },
  };
}

/** Runs the work and turns an interruption into an E_ABORTED that says how far it came and that there are no figures. */
export async function withoutPartialFigures<T>(
  progress: TimedProgress,
  signal: AbortSignal | undefined,
  total: number,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!signal?.aborted) throw error;
    const message = `interrupted after ${progress.done()} of ${total}: there are no figures`;
    throw new EngineError('E_ABORTED', 'evaluate', message, { cause: error });
  }
}

/** @throws {EngineError} E_USAGE the limit is no positive integer. */
export function limited<T>(items: readonly T[], limit: number | undefined): readonly T[] {
  if (limit === undefined) return items;
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw new EngineError('E_USAGE', 'evaluate', `limit is ${limit}, expected a positive integer`, { where: 'limit' });
  return items.slice(0, limit);
}
