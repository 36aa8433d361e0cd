import { EngineError, type Tensor } from '@neural-engine/core';
import type { OnnxModel } from '@neural-engine/onnx';
import { compileModel } from '../load';
import { engineRunner } from '../quantize';

export interface InputSizesOptions {
  /** Feeds of one run each. */
  readonly samples: AsyncIterable<Readonly<Record<string, Tensor>>> | Iterable<Readonly<Record<string, Tensor>>>;
  readonly threads?: number;
  readonly onProgress?: (samples: number) => void;
}

/**
 * Root of the sum of squares of each feature (the last dimension) of some values over samples: how much of a product's result each of its
 * inputs can make. A value that compiling fused away has no entry.
 *
 * @throws {EngineError} E_DATASET there are no samples, or one that the model refuses; E_QUANT a value that is not finite.
 */
export async function inputSizes(
  model: OnnxModel,
  values: readonly string[],
  options: InputSizesOptions,
): Promise<Map<string, Float32Array>> {
  const graph = await compileModel(model);
  const present = [...new Set(values)].filter((name) => graph.values.get(name)?.dtype === 'f32' && !graph.constant(name));
  const sums = new Map<string, Float64Array>();
  const runner = await engineRunner(options.threads === undefined ? {} : { threads: options.threads })(graph, present);
  let count = 0;
  try {
    for await (const feeds of options.samples) {
      const results = await runner.run(feeds).catch((cause: unknown) => {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new EngineError('E_DATASET', 'run', `sample ${count}: ${reason}`, { where: `sample ${count}`, cause });
      });
      for (const name of present) add(sums, name, results[name]!);
      count++;
      options.onProgress?.(count);
    }
  } finally {
    await runner.close();
  }
  if (count === 0) throw new EngineError('E_DATASET', 'run', 'there are no samples');
  return new Map([...sums].map(([name, sum]) => [name, Float32Array.from(sum, Math.sqrt)]));
}

function add(sums: Map<string, Float64Array>, name: string, { dims, data }: Tensor): void {
  const features = dims.at(-1)!;
  const sum = sums.get(name) ?? new Float64Array(features);
  sums.set(name, sum);
  const values = data as Float32Array;
  for (let i = 0; i < values.length; i++) sum[i % features]! += values[i]! * values[i]!;
  if (!sum.every(Number.isFinite)) throw new EngineError('E_QUANT', 'run', `value "${name}" is not finite on a sample`, { where: name });
}
