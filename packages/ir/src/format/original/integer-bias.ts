import { EngineError } from '@neural-engine/core';
import type { Graph } from '../../graph';
import { symmetricScale } from '../../schemas/ranges';

/** What the reader names a bias that it took the correction out of, behind the name of the weight. */
export const PLAIN_BIAS = ':plain_bias';

/**
 * What the original adds to a bias so that the accumulator needs no zero point: x_min · Σ weights, for each output channel.
 *
 * The original codes an activation as round((x − x_min) · scale), with x_min as it is and not rounded to a step.
 * @param ranges  Names of x_min, x_max, weight_min and weight_max; the latter hold one element or one a channel.
 */
function corrections(graph: Graph, weight: string, transposed: boolean, ranges: readonly string[]): Float64Array {
  const [xMin, , weightMin, weightMax] = ranges.map((range) => graph.constant(range)!);
  const { data, dims } = graph.constant(weight)!;
  const [channels, inputs] = (transposed ? dims : [dims[1], dims[0]]) as [number, number];
  const low = Number(xMin!.data[0]);
  const found = new Float64Array(channels);
  for (let n = 0; n < channels; n++) {
    let sum = 0;
    for (let k = 0; k < inputs; k++) sum += Number(data[transposed ? n * inputs + k : k * channels + n]);
    found[n] = (low * sum) / symmetricScale(weightMin!, weightMax!, n);
  }
  return found;
}

/**
 * The plain bias behind one that the original corrected for the activation's zero point.
 *
 * Up to version 1.1 it stores the corrected bias in accumulator steps as s32, so that at most half a step is lost; later ones store it
 * as f32. @returns the name of a new f32 constant.
 */
export function unfoldBias(graph: Graph, bias: string, weight: string, transposed: boolean, ranges: readonly string[]): string {
  const name = weight + PLAIN_BIAS;
  if (graph.values.has(name)) return name;
  const stored = graph.constant(bias)!;
  const [xMin, xMax, weightMin, weightMax] = ranges.map((range) => graph.constant(range)!);
  const xScale = 255 / Math.max(Number(xMax!.data[0]) - Number(xMin!.data[0]), 1e-10);
  const steps = (n: number): number => (stored.dtype === 's32' ? xScale * symmetricScale(weightMin!, weightMax!, n) : 1);
  const corrected = corrections(graph, weight, transposed, ranges);
  if (stored.data.length !== corrected.length)
    throw new EngineError('E_IR', 'ir', `bias "${bias}" has ${stored.data.length} elements for ${corrected.length} channels`, {
      where: bias,
    });
  const values = Float32Array.from(corrected, (correction, n) => Number(stored.data[n]) / steps(n) - correction);
  graph.addValue({ name, dtype: 'f32', shape: [values.length], constant: { dtype: 'f32', dims: [values.length], data: values } });
  return name;
}

/** The bias as version 1.3 stores it; the inverse of {@link unfoldBias}. @param bias  Name of the plain bias, or '' for none. */
export function foldBias(graph: Graph, bias: string, weight: string, transposed: boolean, ranges: readonly string[]): Float32Array {
  const plain = graph.constant(bias)?.data;
  return Float32Array.from(corrections(graph, weight, transposed, ranges), (correction, n) => Number(plain?.[n] ?? 0) + correction);
}
