import type { Graph, Node } from '../../graph';

/**
 * The graph with one output of start and end logits instead of two, as the original has it; undefined where the outputs are not the two
 * columns of one value [batch, sequence, 2] in order.
 */
export function joinLogits(graph: Graph): Graph | undefined {
  const producers = graph.producers();
  const split = splitBehind(graph, producers);
  if (!split) return undefined;
  const joined = graph.clone();
  const logits = split.inputs[0]!;
  const dropped = new Set([split.name, ...graph.outputs.map((output) => producers.get(output)!.name)]);
  joined.nodes = joined.nodes.filter((node) => !dropped.has(node.name));
  for (const value of [...split.outputs, ...graph.outputs]) joined.values.delete(value);
  const { name, ...facts } = joined.value(logits);
  joined.values.delete(name);
  joined.outputs = [joined.addValue({ name: joined.freeName('logits'), ...facts }).name];
  for (const node of joined.nodes) node.outputs = node.outputs.map((output) => (output === name ? joined.outputs[0]! : output));
  return joined;
}

/** The Split whose two columns are the outputs of the graph, squeezed. */
function splitBehind(graph: Graph, producers: ReadonlyMap<string, Node>): Node | undefined {
  if (graph.outputs.length !== 2) return undefined;
  const squeezes = graph.outputs.map((output) => producers.get(output));
  if (!squeezes.every((node) => node?.op === 'Squeeze')) return undefined;
  const split = producers.get(squeezes[0]!.inputs[0]!);
  if (split?.op !== 'Split' || split.outputs.length !== 2) return undefined;
  const shape = graph.value(split.inputs[0]!).shape;
  const axis = Number(split.attributes['axis'] ?? 0);
  if (shape?.length !== 3 || shape[2] !== 2 || (axis !== -1 && axis !== 2)) return undefined;
  const readers = graph.nodes.filter((node) => node.inputs.some((input) => [split.inputs[0]!, ...split.outputs].includes(input)));
  const inOrder = squeezes.every((node, i) => node!.inputs[0] === split.outputs[i]);
  return inOrder && readers.length === 3 ? split : undefined;
}
