import type { Graph } from '../../graph';

/**
 * The plain bias behind one that the original corrected for the activation's zero point.
 *
 * Up to version 1.1 it stores bias · scale − zero point · Σ weights as s32, ready for the accumulator (dividing that out again loses at most
 * half an accumulator step); later versions store bias + x_min · Σ weights as f32. @returns the name of a new f32 constant.
 */
export function unfoldBias(graph: Graph, bias: string, weight: string, transposed: boolean, ranges: readonly string[]): string {
  const stored = graph.constant(bias)!;
  const integer = stored.dtype === 's32';
  const name = `${weight}:plain_bias`;
  if (graph.values.has(name)) return name;
  const [xMin, xMax, weightMin, weightMax] = ranges.map((range) => graph.constant(range)!.data as Float32Array) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const xScale = 255 / Math.max(xMax[0]! - xMin[0]!, 1e-10);
  const zero = Math.round(-xMin[0]! * xScale);
  const { data, dims } = graph.constant(weight)!;
  const channels = stored.data.length;
  const inputs = dims[transposed ? 1 : 0]!;
  const values = new Float32Array(channels);
  for (let n = 0; n < channels; n++) {
    let sum = 0;
    for (let k = 0; k < inputs; k++) sum += Number(data[transposed ? n * inputs + k : k * channels + n]);
    const scale = 127 / Math.max(Math.abs(weightMin[n]!), Math.abs(weightMax[n]!), 1e-10);
    const correction = (zero * sum) / (xScale * scale);
    values[n] = correction + Number(stored.data[n]) / (integer ? xScale * scale : 1);
  }
  graph.addValue({ name, dtype: 'f32', shape: [channels], constant: { dtype: 'f32', dims: [channels], data: values } });
  return name;
}
