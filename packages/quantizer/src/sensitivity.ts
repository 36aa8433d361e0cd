import { EngineError, type Tensor } from '@neural-engine/core';
import type { Graph } from '@neural-engine/ir';
import type { GraphRunner, Sample } from './calibrate';
import type { Range } from './histogram';
import { quantizeGraph } from './quantize-graph';
import type { Recipe } from './recipe';
import { select } from './select';
import { maskOf, visibleParts, visibleRows } from './visible-rows';

/** What one layer's int8 form costs the model's outputs. */
export interface LayerSensitivity {
  /** Node name of a product or attention block. */
  readonly layer: string;
  readonly op: 'InnerProduct' | 'Attention';
  /** Signal to noise of the outputs in dB when this layer alone stays f32. */
  readonly snrWithout: number;
  /** Share of the int8 model's output noise that goes when this layer stays f32; negative where layers cancel each other. */
  readonly noiseShare: number;
}

export interface Sensitivity {
  /** Signal to noise of the outputs in dB with every layer of the recipe in int8. */
  readonly snr: number;
  /** Most sensitive first. */
  readonly layers: readonly LayerSensitivity[];
}

export interface SensitivityOptions {
  /** Samples that the outputs are compared on; they are read once for each layer. */
  readonly samples: readonly Sample[];
  readonly run: GraphRunner;
  readonly recipe?: Recipe;
  /** As in `CalibrationOptions`. */
  readonly mask?: string;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Ranks the layers of a graph by what their int8 form costs: each in turn stays f32, and the noise that is left in the model's outputs is
 * compared with the noise of the whole int8 model.
 *
 * @throws {EngineError} E_DATASET no samples; E_ABORTED the signal.
 */
export async function measureSensitivity(
  graph: Graph,
  ranges: ReadonlyMap<string, Range>,
  options: SensitivityOptions,
): Promise<Sensitivity> {
  const { recipe = {}, samples } = options;
  if (samples.length === 0) throw new EngineError('E_DATASET', 'quantize', 'there are no samples to compare layers on');
  const { products, attentions } = select(graph, recipe);
  const nodes = [...graph.nodes.filter((node) => products.has(node) || attentions.has(node))];
  const exact = await outputsOf(graph, options);
  const noiseOf = async (keep: readonly string[]): Promise<number> =>
    noise(exact, await outputsOf(quantizeGraph(graph, ranges, { ...recipe, keep: [...(recipe.keep ?? []), ...keep] }), options));
  const signal = power(exact);
  const all = await noiseOf([]);
  const layers: LayerSensitivity[] = [];
  for (const node of nodes) {
    if (options.signal?.aborted) throw new EngineError('E_ABORTED', 'quantize', `stopped after ${layers.length} of ${nodes.length} layers`);
    // The last product cannot be kept: there would be nothing to quantise.
    const left = nodes.length === 1 ? 0 : await noiseOf([node.name]);
    layers.push({
      layer: node.name,
      op: node.op as LayerSensitivity['op'],
      snrWithout: decibels(signal, left),
      noiseShare: all === 0 ? 0 : (all - left) / all,
    });
    options.onProgress?.(layers.length, nodes.length);
  }
  layers.sort((a, b) => b.noiseShare - a.noiseShare || (a.layer < b.layer ? -1 : 1));
  return { snr: decibels(signal, all), layers };
}

/** 10 · log10(signal / noise); 200 stands for no noise at all. */
export const decibels = (signal: number, noise: number): number =>
  noise === 0 ? 200 : signal === 0 ? -200 : Math.max(-200, Math.min(200, 10 * Math.log10(signal / noise)));

/** The visible parts of every output of every sample, in order. */
async function outputsOf(graph: Graph, options: SensitivityOptions): Promise<Float32Array[]> {
  const runner = await options.run(graph, graph.outputs);
  const parts: Float32Array[] = [];
  const mask = options.mask ?? maskOf(graph);
  try {
    for (const feeds of options.samples) {
      const outputs = await runner.run(feeds);
      const rows = visibleRows(feeds, mask);
      for (const name of graph.outputs) parts.push(...visibleParts(floats(outputs[name]!), rows));
    }
  } finally {
    await runner.close();
  }
  return parts;
}

const floats = (tensor: Tensor): Tensor =>
  tensor.data instanceof Float32Array ? tensor : { ...tensor, data: Float32Array.from(tensor.data as ArrayLike<number>) };

const power = (parts: readonly Float32Array[]): number => {
  let sum = 0;
  for (const part of parts) for (const value of part) sum += value * value;
  return sum;
};

function noise(exact: readonly Float32Array[], other: readonly Float32Array[]): number {
  let sum = 0;
  exact.forEach((part, i) => {
    for (let at = 0; at < part.length; at++) sum += (part[at]! - other[i]![at]!) ** 2;
  });
  return sum;
}
