import type { LoadOptions } from '@neural-engine/engine';
import type { RivalOptions } from './rival';

export const MODES = ['latency', 'throughput'] as const;
export type Mode = (typeof MODES)[number];

/** What `ne bench` measures. Lists give a sweep over all combinations. */
export interface BenchOptions {
  readonly model: string;
  readonly batchSizes: readonly number[];
  readonly seqLens: readonly number[];
  /** Threads of each instance; default: the cores divided among the instances. */
  readonly threads?: readonly number[];
  /** Instances that run side by side; `auto` is the throughput rule. Default 1. */
  readonly instances?: readonly (number | 'auto')[];
  /** Logical CPUs to use; threads are then pinned. */
  readonly cores?: readonly number[];
  /** Each instance in a process of its own. */
  readonly processes?: boolean;
  /** Forms to measure; default: the model as it is stored. */
  readonly precisions?: readonly string[];
  /** latency: one instance on all cores; throughput: the original's rule, instances of four cores. */
  readonly mode?: Mode;
  readonly iterations: number;
  readonly warmup: number;
  /** Go on until three windows of `iterations` runs agree within this share. */
  readonly stable?: number;
  /** Run this as well, in turn. */
  readonly rival?: RivalOptions;
  readonly sparse?: LoadOptions['sparse'];
  readonly embeddings?: LoadOptions['embeddings'];
  readonly rounding?: LoadOptions['rounding'];
  readonly tune?: LoadOptions['tune'];
  /** Ends the measuring; what was measured is still reported. */
  readonly signal?: AbortSignal;
  /** Told of each combination that begins. */
  readonly onCase?: (done: number, total: number) => void;
}

/** Warm-up runs unless told otherwise: a tenth, at least 3, as the original's README advises. */
export const defaultWarmup = (iterations: number): number => Math.max(3, Math.ceil(iterations / 10));

/** One combination of a sweep. */
export interface BenchCase {
  readonly batch: number;
  readonly seqLen: number;
  readonly threads: number | undefined;
  readonly instances: number | 'auto';
  readonly precision: string;
}

/** Every combination, the batch size changing fastest. */
export function casesOf(options: BenchOptions): BenchCase[] {
  const instances = options.instances ?? (options.mode === 'throughput' ? ['auto' as const] : [1]);
  const cases: BenchCase[] = [];
  for (const precision of options.precisions ?? ['as stored'])
    for (const count of instances)
      for (const threads of options.threads ?? [undefined])
        for (const seqLen of options.seqLens)
          for (const batch of options.batchSizes) cases.push({ batch, seqLen, threads, instances: count, precision });
  return cases;
}
