import type { Graph } from '@neural-engine/ir';

/**
 * Takes the Reorders out of a graph: everything is computed in panels, whatever layout a file asks for, so that a Reorder is only another
 * name for its input. The names of inputs and outputs stay; an output that is an input or another output too is copied.
 */
export function dropReorders(graph: Graph): void {
  const makers = graph.producers();
  const aliases = new Map<string, string>();
  const resolve = (name: string): string => {
    let found = name;
    for (let next = aliases.get(found); next !== undefined; next = aliases.get(found)) found = next;
    return found;
  };
  graph.nodes = graph.nodes.flatMap((node) => {
    if (node.op !== 'Reorder') return [node];
    const x = resolve(node.inputs[0]!);
    const y = node.outputs[0]!;
    if (!graph.outputs.includes(y)) aliases.set(y, x);
    else if (makers.has(x) && !graph.outputs.includes(x)) aliases.set(x, y);
    else return [{ ...node, op: 'Identity', inputs: [x], attributes: {} }];
    return [];
  });
  for (const node of graph.nodes) {
    node.inputs = node.inputs.map(resolve);
    node.outputs = node.outputs.map(resolve);
  }
  for (const name of aliases.keys()) graph.values.delete(name);
}
