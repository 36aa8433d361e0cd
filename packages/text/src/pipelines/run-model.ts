import { EngineError, type Tensor } from '@neural-engine/core';
import type { Tokenizer } from '../tokenizer/tokenizer';

/**
 * Runs a model once. Any engine will do: ours, or an adapter around another.
 * Integer inputs are s64 `[batch, sequence]`; outputs are floating-point.
 */
export type RunModel = (feeds: Record<string, Tensor>, options?: { signal?: AbortSignal }) => Promise<Record<string, Tensor>>;

/** What every pipeline is made of. */
export interface PipelineModel {
  readonly run: RunModel;
  /** The inputs that the model has; others are not fed. */
  readonly inputNames: readonly string[];
  readonly tokenizer: Tokenizer;
  /** So many sequences in one run at most. Default 16. */
  readonly batchSize?: number;
}

/** How far a call over many items is. Items finish out of order: `done` counts those that are complete. */
export interface Progress {
  readonly done: number;
  readonly total: number;
}

export interface PipelineRunOptions {
  /** Aborts between two runs, and is handed to the runner. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export const DEFAULT_BATCH_SIZE = 16;

/** @throws {EngineError} E_ABORTED the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError(signal);
}

export const abortedError = (signal: AbortSignal): EngineError =>
  new EngineError('E_ABORTED', 'text', 'aborted before the end', { cause: signal.reason });
