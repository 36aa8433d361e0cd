import { EngineError } from '@neural-engine/core';
import type { Graph } from '@neural-engine/ir';
import { countValues, extent } from '@neural-engine/kernels';
import {
  type Calibration,
  type CalibrationOptions,
  calibrate,
  type GraphRunner,
  type Observer,
  type Precision,
  quantizeDynamic,
  quantizeGraph,
  requirePrecision,
  type Samples,
  toBf16Graph,
} from '@neural-engine/quantizer';
import { Model } from '@neural-engine/runtime';

export interface QuantizeOptions extends Omit<CalibrationOptions, 'run' | 'samples' | 'observer'> {
  /** Default `int8`: static, by calibration. */
  readonly precision?: Precision;
  /** Feeds of one calibration run each; `int8` needs them, the others do not look at them. */
  readonly samples?: Samples;
  readonly threads?: number;
}

export interface Quantized {
  readonly graph: Graph;
  /** What was observed; only `int8` observes anything. */
  readonly calibration?: Calibration;
}

/** Counts values with the native kernels. */
export const nativeObserver: Observer = { extent, count: countValues };

/** Runs graphs with this engine. */
export function engineRunner(options: { threads?: number } = {}): GraphRunner {
  return async (graph, values) => {
    const model = await Model.fromGraph(graph);
    const session = await model.session(options);
    const taps = values.filter((name) => !graph.outputs.includes(name));
    return {
      run: (feeds) => session.run(feeds, { taps }),
      close: () => session.close(),
    };
  };
}

/**
 * Turns an f32 graph into one of another precision. Static int8 observes it on samples with this engine and chooses ranges; `fp32` gives
 * the graph back as it is.
 *
 * @throws {EngineError} E_USAGE options that make no sense; E_DATASET, E_QUANT what is wrong with the samples or the graph;
 * E_UNSUPPORTED a precision that this engine does not compute.
 */
export async function quantize(graph: Graph, options: QuantizeOptions = {}): Promise<Quantized> {
  const precision = requirePrecision(options.precision ?? 'int8');
  switch (precision) {
    case 'fp32':
      return { graph };
    case 'int8':
      return staticInt8(graph, options);
    case 'bf16':
      return { graph: toBf16Graph(graph, options.recipe) };
    case 'dynamic-int8':
      return { graph: quantizeDynamic(graph, options.recipe) };
  }
}

async function staticInt8(graph: Graph, options: QuantizeOptions): Promise<Quantized> {
  const calibration = await calibrateGraph(graph, options);
  return { graph: quantizeGraph(graph, calibration.ranges, options.recipe), calibration };
}

/** Observes `graph` on samples with this engine and its native counting. @throws {EngineError} as {@link quantize}. */
export async function calibrateGraph(graph: Graph, options: QuantizeOptions): Promise<Calibration> {
  const { threads, samples, precision: _, ...rest } = options;
  if (samples === undefined) throw new EngineError('E_USAGE', 'quantize', 'static int8 needs calibration samples (option "samples")');
  if (threads !== undefined && !(Number.isInteger(threads) && threads > 0))
    throw new EngineError('E_USAGE', 'quantize', `threads must be a positive integer, got ${threads}`);
  const run = engineRunner(threads === undefined ? {} : { threads });
  return calibrate(graph, { ...rest, samples, run, observer: nativeObserver });
}
