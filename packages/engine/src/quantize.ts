import { EngineError, type Tensor } from '@neural-engine/core';
import type { Graph } from '@neural-engine/ir';
import {
  type Calibration,
  type CalibrationMethod,
  calibrate,
  type GraphRunner,
  quantizeGraph,
  type Recipe,
} from '@neural-engine/quantizer';
import { Model } from '@neural-engine/runtime';

export interface QuantizeOptions {
  /** Feeds of one calibration run each. */
  readonly samples: AsyncIterable<Readonly<Record<string, Tensor>>> | Iterable<Readonly<Record<string, Tensor>>>;
  /** Default `minmax`. */
  readonly method?: CalibrationMethod;
  readonly percentile?: number;
  readonly recipe?: Recipe;
  readonly threads?: number;
  readonly onProgress?: (samples: number) => void;
  readonly signal?: AbortSignal;
}

/** Runs graphs with this engine for calibration. */
export function engineRunner(options: { threads?: number } = {}): GraphRunner {
  return async (graph, values) => {
    const model = await Model.fromGraph(graph);
    const session = await model.session(options);
    return {
      run: (feeds) => session.run(feeds, { taps: values }),
      close: () => session.close(),
    };
  };
}

/**
 * Static int8: observes `graph` on samples with this engine, chooses ranges and quantises it.
 *
 * @throws {EngineError} E_DATASET, E_QUANT what is wrong with the samples or the graph.
 */
export async function quantize(graph: Graph, options: QuantizeOptions): Promise<{ graph: Graph; calibration: Calibration }> {
  const { threads, recipe, ...rest } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads > 0))
    throw new EngineError('E_USAGE', 'quantize', `threads must be a positive integer, got ${threads}`);
  const calibration = await calibrate(graph, {
    ...rest,
    run: engineRunner(threads === undefined ? {} : { threads }),
    ...(recipe ? { recipe } : {}),
  });
  return { graph: quantizeGraph(graph, calibration.ranges, recipe), calibration };
}
