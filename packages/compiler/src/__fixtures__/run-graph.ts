import type { Tensor } from '@neural-engine/core';
import { evaluateNode, type Graph } from '@neural-engine/ir';

/** Runs a graph node by node with the operators' own exact evaluations: slow, and independent of every kernel. */
export function runGraph(graph: Graph, feeds: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const values = new Map<string, Tensor>();
  for (const [name, value] of graph.values) if (value.constant) values.set(name, value.constant);
  for (const name of graph.inputs) {
    const feed = feeds.get(name);
    if (!feed) throw new Error(`no feed for "${name}"`);
    values.set(name, feed);
  }
  for (const node of graph.nodes) {
    const results = evaluateNode(node, node.inputs.map((name) => (name ? values.get(name) : undefined)));
    if (!results) throw new Error(`${node.op} "${node.name}" cannot be evaluated`);
    node.outputs.forEach((output, i) => {
      if (output) values.set(output, results[i]!);
    });
  }
  return new Map(graph.outputs.map((name) => [name, values.get(name)!]));
}

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
