import type { Tensor } from '@neural-engine/core';
import { evaluateGraph, type Graph } from '@neural-engine/ir';

/** The outputs of a graph by the operators' own exact evaluations: slow, and independent of every kernel. */
export const runGraph = (graph: Graph, feeds: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> => evaluateGraph(graph, Object.fromEntries(feeds));

/** The largest distance between two tensors of numbers, NaN matching NaN. */
export function distance(a: Tensor, b: Tensor): number {
  if (`${a.dtype}${a.dims}` !== `${b.dtype}${b.dims}`) throw new Error(`${a.dtype}[${a.dims}] is not ${b.dtype}[${b.dims}]`);
  let most = 0;
  for (let i = 0; i < a.data.length; i++) {
    const [x, y] = [Number(a.data[i]), Number(b.data[i])];
    if (Object.is(x, y) || x === y) continue;
    most = Math.max(most, Number.isNaN(x - y) ? Number.POSITIVE_INFINITY : Math.abs(x - y));
  }
  return most;
}
