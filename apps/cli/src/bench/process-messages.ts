import type { LoadOptions, Placement } from '@neural-engine/engine';
import type { InstanceTimes } from './instance';

/** What a parent tells the process of an instance, first of all. */
export interface InstanceTask {
  readonly model: string;
  readonly load: LoadOptions;
  /** Weights that the parent packed, which the instance maps; undefined where they are kept nowhere: it then loads the model by itself. */
  readonly packedFile: string | undefined;
  /** Token ids are drawn below this. */
  readonly vocabulary: number;
  readonly placement: Placement;
  readonly batch: number;
  readonly seqLen: number;
  readonly warmup: number;
  readonly iterations: number;
  readonly stable?: number;
}

/** Parent to instance, in this order. `interrupt` ends the measuring early. */
export type ToInstance = { readonly task: InstanceTask } | 'go' | 'interrupt' | 'stop';

/** Instance to parent. */
export type FromInstance =
  | 'ready'
  | { readonly times: InstanceTimes; readonly threads: number; readonly memory: ProcessMemory | null }
  | { readonly error: { code: string; stage: string; message: string } };

/** Bytes, from `/proc/self/smaps_rollup`. Pages that several processes map count in part for each in `pss`, and in none in `uss`. */
export interface ProcessMemory {
  readonly rss: number;
  readonly pss: number;
  readonly uss: number;
}
