import { EngineError, type Tensor } from '@neural-engine/core';
import type { Graph } from '@neural-engine/ir';
import { calibrationGraph } from './calibration-graph';
import { type CalibrationMethod, chooseRange, type RangeOptions } from './choose-range';
import { Histogram, type Range } from './histogram';
import type { Observer } from './observer';
import { observedValues } from './quantize-graph';
import { admissible, type Warning, warningsOf } from './range-warnings';
import type { Recipe } from './recipe';
import { visibleParts, visibleRows } from './visible-rows';

/** Feeds of one run, batch 1 or more. */
export type Sample = Readonly<Record<string, Tensor>>;
export type Samples = AsyncIterable<Sample> | Iterable<Sample>;

/** Runs a graph and returns the named values: what calibration asks of a runtime. */
export type GraphRunner = (
  graph: Graph,
  values: readonly string[],
) => Promise<{
  run(feeds: Sample): Promise<Readonly<Record<string, Tensor>>>;
  close(): Promise<void>;
}>;

export interface CalibrationOptions {
  readonly samples: Samples;
  readonly run: GraphRunner;
  /** Default `minmax`. */
  readonly method?: CalibrationMethod;
  /** For the method `percentile`. */
  readonly percentile?: number;
  /** Choose from finite values alone and warn how many others there were; default: refuse them. */
  readonly ignoreNonFinite?: boolean;
  readonly recipe?: Recipe;
  /** Input that hides padding, whose values are not observed. Default `attention_mask`. */
  readonly mask?: string;
  /** How values are counted; default: plain loops. */
  readonly observer?: Observer;
  readonly onProgress?: (done: number) => void;
  readonly signal?: AbortSignal;
}

export interface Calibration {
  /** The range of each observed value, zero inside. */
  readonly ranges: ReadonlyMap<string, Range>;
  readonly histograms: ReadonlyMap<string, Histogram>;
  /** Runs that were observed. */
  readonly samples: number;
  /** What deserves a look: constant values, extreme ranges, values that were left out. */
  readonly warnings: readonly Warning[];
}

/**
 * Observes a graph on samples and chooses the range of every value that int8 needs.
 *
 * The result depends on the graph and the samples, not on their order or how they are batched.
 * @throws {EngineError} E_DATASET no samples, or one that the model refuses (its index is named); E_QUANT NaN or infinity was seen, or a
 * range that f32 cannot scale; E_ABORTED the signal.
 */
export async function calibrate(graph: Graph, options: CalibrationOptions): Promise<Calibration> {
  const histograms = new Map(observedValues(graph, options.recipe).map((name) => [name, new Histogram(options.observer)]));
  const samples = await observe(graph, histograms, options);
  if (samples === 0) throw new EngineError('E_DATASET', 'quantize', 'there are no calibration samples');
  return { ...chooseRanges(histograms, options), histograms, samples };
}

/** Chooses ranges anew from what was observed, by another method for instance. */
export function chooseRanges(
  histograms: ReadonlyMap<string, Histogram>,
  options: Partial<RangeOptions>,
): Pick<Calibration, 'ranges' | 'warnings'> {
  const ranges = new Map<string, Range>();
  const warnings: Warning[] = [];
  for (const [name, histogram] of histograms) {
    const range = chooseRange(histogram, { ...options, method: options.method ?? 'minmax' }, name);
    ranges.set(name, admissible(range, name));
    warnings.push(...warningsOf(histogram, range, name));
  }
  return { ranges, warnings };
}

async function observe(graph: Graph, histograms: ReadonlyMap<string, Histogram>, options: CalibrationOptions): Promise<number> {
  const runner = await options.run(calibrationGraph(graph), [...histograms.keys()]);
  let count = 0;
  try {
    for await (const feeds of options.samples) {
      if (options.signal?.aborted) throw new EngineError('E_ABORTED', 'quantize', `calibration was stopped after ${count} samples`);
      const values = await runner.run(feeds).catch((cause: unknown) => {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new EngineError('E_DATASET', 'quantize', `calibration sample ${count}: ${reason}`, { where: `sample ${count}`, cause });
      });
      const rows = visibleRows(feeds, options.mask);
      for (const [name, histogram] of histograms) {
        for (const part of visibleParts(values[name]!, rows)) histogram.add(part);
      }
      count++;
      options.onProgress?.(count);
    }
  } finally {
    await runner.close();
  }
  return count;
}
