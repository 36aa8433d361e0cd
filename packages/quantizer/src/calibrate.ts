import { EngineError, type Tensor } from '@neural-engine/core';
import type { Graph } from '@neural-engine/ir';
import { calibrationGraph } from './calibration-graph';
import { type CalibrationMethod, chooseRange } from './choose-range';
import { Histogram, type Range } from './histogram';
import { observedValues } from './quantize-graph';
import type { Recipe } from './select';

/** Runs a graph and returns the named values beside nothing else: what calibration asks of a runtime. */
export type GraphRunner = (
  graph: Graph,
  values: readonly string[],
) => Promise<{
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>>;
  close(): Promise<void>;
}>;

export interface CalibrationOptions {
  /** Feeds of one run each, batch 1 or more. */
  readonly samples: AsyncIterable<Readonly<Record<string, Tensor>>> | Iterable<Readonly<Record<string, Tensor>>>;
  readonly run: GraphRunner;
  /** Default `minmax`. */
  readonly method?: CalibrationMethod;
  /** For the method `percentile`. */
  readonly percentile?: number;
  readonly recipe?: Recipe;
  readonly onProgress?: (done: number) => void;
  readonly signal?: AbortSignal;
}

export interface Calibration {
  /** The range of each observed value, zero inside. */
  readonly ranges: ReadonlyMap<string, Range>;
  readonly histograms: ReadonlyMap<string, Histogram>;
  readonly samples: number;
}

/**
 * Observes a graph on samples and chooses the range of every value that int8 needs. Deterministic in graph, samples and their order.
 *
 * @throws {EngineError} E_DATASET no samples, or one that the model refuses (its index is named); E_QUANT NaN or infinity was seen.
 */
export async function calibrate(graph: Graph, options: CalibrationOptions): Promise<Calibration> {
  const names = observedValues(graph, options.recipe);
  const histograms = new Map(names.map((name) => [name, new Histogram()]));
  const runner = await options.run(calibrationGraph(graph), names);
  let count = 0;
  try {
    for await (const feeds of options.samples) {
      if (options.signal?.aborted) throw new EngineError('E_ABORTED', 'quantize', `calibration was stopped after ${count} samples`);
      let values: Readonly<Record<string, Tensor>>;
      try {
        values = await runner.run(feeds);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new EngineError('E_DATASET', 'quantize', `calibration sample ${count}: ${reason}`, { where: `sample ${count}`, cause });
      }
      for (const [name, histogram] of histograms) histogram.add(values[name]!.data as Float32Array);
      count++;
      options.onProgress?.(count);
    }
  } finally {
    await runner.close();
  }
  if (count === 0) throw new EngineError('E_DATASET', 'quantize', 'there are no calibration samples');
  const ranges = new Map<string, Range>();
  for (const [name, histogram] of histograms) {
    ranges.set(
      name,
      chooseRange(
        histogram,
        { method: options.method ?? 'minmax', ...(options.percentile === undefined ? {} : { percentile: options.percentile }) },
        name,
      ),
    );
  }
  return { ranges, histograms, samples: count };
}
