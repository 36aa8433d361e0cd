import { EngineError, type Tensor } from '@neural-engine/core';
import type { Graph } from '@neural-engine/ir';
import { calibrationGraph } from './calibration-graph';
import { type ChannelPlan, ChannelPlanner, NO_PLAN } from './channels/plan';
import { balancedName, outliersName, restName, viewsOf } from './channels/views';
import { type CalibrationMethod, chooseRange, type RangeOptions } from './choose-range';
import { Histogram, type Range } from './histogram';
import type { Observer } from './observer';
import { observedValues } from './quantize-graph';
import { admissible, type Warning, warningsOf } from './range-warnings';
import type { Recipe } from './recipe';
import type { ValueRange } from './value-range';
import { maskOf, visibleParts, visibleRows } from './visible-rows';

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
  /** What is observed; default: every value that the int8 graph codes, those before activations among them. */
  readonly values?: readonly string[];
  /** Input that hides padding, whose values are not observed. Default: what a PaddingMask of the graph reads, else `attention_mask`. */
  readonly mask?: string;
  /** How values are counted; default: plain loops. */
  readonly observer?: Observer;
  readonly onProgress?: (done: number) => void;
  readonly signal?: AbortSignal;
}

export interface Calibration {
  /** The range of each observed value, zero inside. */
  readonly ranges: ReadonlyMap<string, ValueRange>;
  readonly histograms: ReadonlyMap<string, Histogram>;
  /** Channels that are not coded like the others; none unless the recipe says `balance`. */
  readonly plan: ChannelPlan;
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
  const { recipe, onProgress } = options;
  // Channels have to be known before values are counted: samples are kept then, and run twice.
  const planner = recipe?.balance ? new ChannelPlanner(graph, recipe) : undefined;
  if (!planner || planner.extents.size === 0) return count(graph, NO_PLAN, options);
  const samples = await collected(options.samples);
  await observe(graph, [...planner.extents.keys()], (name, part) => planner.extents.get(name)!.add(part), {
    ...options,
    samples,
    onProgress: (done) => onProgress?.(Math.ceil(done / 2)),
  });
  return count(graph, planner.plan(), {
    ...options,
    samples,
    onProgress: (done) => onProgress?.(Math.ceil((samples.length + done) / 2)),
  });
}

/** Counts every value, and what is derived from it, and chooses ranges. */
async function count(graph: Graph, plan: ChannelPlan, options: CalibrationOptions): Promise<Calibration> {
  const values = options.values ?? observedValues(graph, options.recipe);
  const views = viewsOf(plan).filter(({ source }) => values.includes(source));
  const histograms = new Map([...values, ...views.map(({ name }) => name)].map((name) => [name, new Histogram(options.observer)]));
  const samples = await observe(
    graph,
    values,
    (name, part) => {
      histograms.get(name)!.add(part);
      for (const view of views) if (view.source === name) histograms.get(view.name)!.add(view.of(part));
    },
    options,
  );
  if (samples === 0) throw new EngineError('E_DATASET', 'quantize', 'there are no calibration samples');
  return { ...chooseRanges(histograms, { ...options, plan }), histograms, plan, samples };
}

async function collected(samples: Samples): Promise<readonly Sample[]> {
  const kept: Sample[] = [];
  for await (const feeds of samples) kept.push(feeds);
  return kept;
}

/** Chooses ranges anew from what was observed, by another method for instance; with the plan that it was counted for. */
export function chooseRanges(
  histograms: ReadonlyMap<string, Histogram>,
  options: Partial<RangeOptions> & { readonly plan?: ChannelPlan },
): Pick<Calibration, 'ranges' | 'warnings'> {
  const { plan = NO_PLAN } = options;
  const ranges = new Map<string, ValueRange>();
  const warnings: Warning[] = [];
  const chosen = (name: string): Range => chooseRange(histograms.get(name)!, { ...options, method: options.method ?? 'minmax' }, name);
  const cut = (name: string): Range => admissible(chosen(name), name);
  const derived = new Set(viewsOf(plan).map(({ name }) => name));
  for (const [name, histogram] of histograms) {
    if (derived.has(name)) continue;
    const range = chosen(name);
    warnings.push(...warningsOf(histogram, range, name));
    const multipliers = plan.multipliers.get(name);
    const channels = plan.outliers.get(name)?.channels;
    ranges.set(name, {
      ...admissible(range, name),
      ...(multipliers ? { balanced: { multipliers, range: cut(balancedName(name)) } } : {}),
      ...(channels ? { parts: { channels, outliers: cut(outliersName(name)), rest: cut(restName(name)) } } : {}),
    });
  }
  return { ranges, warnings };
}

/** Runs the graph on each sample and hands over the visible parts of values. @returns the number of samples. */
async function observe(
  graph: Graph,
  values: readonly string[],
  add: (name: string, part: Float32Array) => void,
  options: CalibrationOptions,
): Promise<number> {
  const runner = await options.run(calibrationGraph(graph), values);
  const mask = options.mask ?? maskOf(graph);
  let count = 0;
  try {
    for await (const feeds of options.samples) {
      if (options.signal?.aborted) throw new EngineError('E_ABORTED', 'quantize', `calibration was stopped after ${count} samples`);
      const outputs = await runner.run(feeds).catch((cause: unknown) => {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new EngineError('E_DATASET', 'quantize', `calibration sample ${count}: ${reason}`, { where: `sample ${count}`, cause });
      });
      const rows = visibleRows(feeds, mask);
      for (const name of values) for (const part of visibleParts(outputs[name]!, rows)) add(name, part);
      count++;
      options.onProgress?.(count);
    }
  } finally {
    await runner.close();
  }
  return count;
}
