import type { Tensor } from '@neural-engine/core';
import type { Graph } from '@neural-engine/ir';

/** The input that tells tokens from padding: what a PaddingMask of the graph reads, else what most exporters call it. */
export function maskOf(graph: Graph): string {
  const masks = graph.nodes.flatMap(({ op, inputs }) => (op === 'PaddingMask' ? [inputs[0]!] : []));
  return masks.find((name) => graph.inputs.includes(name)) ?? 'attention_mask';
}

/** Runs of rows [from, to) of a [batch, sequence] mask that are not padding; undefined where the feeds have no such mask. */
export interface VisibleRows {
  readonly dims: readonly [number, number];
  readonly runs: readonly (readonly [from: number, to: number])[];
}

export function visibleRows(feeds: Readonly<Record<string, Tensor>>, mask: string): VisibleRows | undefined {
  const tensor = Object.hasOwn(feeds, mask) ? feeds[mask] : undefined;
  if (tensor?.dims.length !== 2) return undefined;
  const runs: [number, number][] = [];
  for (let row = 0; row < tensor.data.length; row++) {
    if (Number(tensor.data[row]) === 0) continue;
    const last = runs.at(-1);
    if (last?.[1] === row) last[1]++;
    else runs.push([row, row + 1]);
  }
  return { dims: [tensor.dims[0]!, tensor.dims[1]!], runs };
}

/** The parts of a value that belong to tokens; all of it where it is not laid out as the mask is: [batch, sequence, …]. */
export function* visibleParts(value: Tensor, rows: VisibleRows | undefined): Generator<Float32Array> {
  const data = value.data as Float32Array;
  if (!rows || value.dims.length < 2 || value.dims[0] !== rows.dims[0] || value.dims[1] !== rows.dims[1]) {
    yield data;
    return;
  }
  const width = data.length / (rows.dims[0] * rows.dims[1]);
  for (const [from, to] of rows.runs) yield data.subarray(from * width, to * width);
}
