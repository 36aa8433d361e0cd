import { EngineError, type Tensor, widen } from '@neural-engine/core';
import type { Encoding } from '../tokenizer/encoding';
import { requireInteger } from '../tokenizer/truncation';
import { batchFeeds } from './feeds';
import { abortedError, DEFAULT_BATCH_SIZE, type PipelineModel, throwIfAborted } from './run-model';

/** One run's outputs: row `i` belongs to encoding `indices[i]` of the list that was given. */
export interface BatchResult {
  readonly outputs: Record<string, Tensor>;
  readonly indices: readonly number[];
  /** Tokens a row, padding included. */
  readonly length: number;
}

/**
 * Runs encodings in batches of similar length, longest first, so that little padding is computed and the largest buffers come first.
 * @param consume called after each run; what it needs of the outputs it must copy.
 * @throws {EngineError} E_ABORTED; whatever the runner throws.
 */
export async function runBatches(
  encodings: readonly Encoding[],
  model: PipelineModel,
  signal: AbortSignal | undefined,
  consume: (result: BatchResult) => void,
): Promise<void> {
  const batchSize = model.batchSize ?? DEFAULT_BATCH_SIZE;
  requireInteger(batchSize, 'batchSize', 1);
  const order = encodings.map((_, index) => index).sort((a, b) => encodings[b]!.length - encodings[a]!.length || a - b);
  for (let at = 0; at < order.length; at += batchSize) {
    throwIfAborted(signal);
    const indices = order.slice(at, at + batchSize);
    const batch = indices.map((index) => encodings[index]!);
    const feeds = batchFeeds(batch, model.inputNames, model.tokenizer.padId);
    let outputs: Record<string, Tensor>;
    try {
      outputs = await model.run(feeds, signal === undefined ? {} : { signal });
    } catch (error) {
      // A runner may report the abort in its own way.
      if (signal?.aborted && !EngineError.isInstance(error)) throw abortedError(signal);
      throw error;
    }
    consume({ outputs, indices, length: batch[0]!.length });
  }
  throwIfAborted(signal);
}

/**
 * The elements of an output as floats, after checking its dims; 16-bit floats are widened.
 * @param dims expected; −1 matches anything.
 * @throws {EngineError} E_MODEL another rank, size or dtype.
 */
export function floatsOf(value: Tensor, name: string, dims: readonly number[]): Float32Array | Float64Array {
  if (value.dims.length !== dims.length || dims.some((dim, i) => dim !== -1 && dim !== value.dims[i])) {
    const expected = dims.map((dim) => (dim === -1 ? '?' : dim)).join(', ');
    throw new EngineError('E_MODEL', 'text', `output "${name}" is [${value.dims.join(', ')}], expected [${expected}]`, { where: name });
  }
  const { data, dtype } = value;
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  if (data instanceof Uint16Array && (dtype === 'f16' || dtype === 'bf16')) return widen(data, dtype);
  throw new EngineError('E_MODEL', 'text', `output "${name}" is ${dtype}, expected a floating-point type`, { where: name });
}
