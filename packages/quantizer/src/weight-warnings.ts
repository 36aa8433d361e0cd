import type { Graph } from '@neural-engine/ir';
import type { Warning } from './range-warnings';
import type { Recipe } from './recipe';
import { select } from './select';
import { quantizeWeight } from './weight';

/** A channel this many times as large as the median channel of its weight is called an outlier. */
const OUTLIER = 1000;

/** Weights with channels of zeros, or with a channel far larger than the others, which leaves them few codes in a tensor-wide scale. */
export function weightWarnings(graph: Graph, recipe: Recipe = {}): Warning[] {
  const warnings: Warning[] = [];
  for (const node of select(graph, recipe).products) {
    const name = node.inputs[1]!;
    const weight = graph.constant(name)!;
    const { max, data } = quantizeWeight(weight, node.attributes['transposed'] === true, name);
    const channels = max.data as Float32Array;
    const zero = zeroChannels(data.data as Int8Array, channels.length, node.attributes['transposed'] === true);
    if (zero > 0) warnings.push({ where: name, message: `has ${zero} of ${channels.length} output channels that are all zero: scale 1` });
    const median = channels.slice().sort()[channels.length >> 1]!;
    const largest = channels.reduce((a, b) => Math.max(a, b));
    if (largest > OUTLIER * median)
      warnings.push({ where: name, message: `has a channel up to ${largest}, the median channel reaches ${median}` });
  }
  return warnings;
}

function zeroChannels(codes: Int8Array, channels: number, transposed: boolean): number {
  const used = new Uint8Array(channels);
  const width = codes.length / channels;
  for (let i = 0; i < codes.length; i++) if (codes[i] !== 0) used[transposed ? Math.floor(i / width) : i % channels] = 1;
  return used.reduce((count, isUsed) => count - isUsed, channels);
}
