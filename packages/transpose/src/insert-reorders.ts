import type { Graph, Node } from '@neural-engine/ir';
import type { LayoutAssignment } from './assign-layouts';

/**
 * Puts a Reorder before the first reader that wants a value in the layout it is not in; later readers share it. Two that would undo each
 * other never arise, since layouts are settled before. Names are the original's.
 *
 * @param graph  Changed in place; its nodes are those that `layouts` was made of.
 */
export function insertReorders(graph: Graph, layouts: LayoutAssignment): void {
  const outputs = hideTransposedOutputs(graph, layouts);
  const makers = graph.producers();
  const names = new Set(graph.nodes.map((node) => node.name));
  const reordered = new Map<string, string>();
  const nodes: Node[] = [];
  const reorder = (from: string, to: string, hint: string): string => {
    let name = hint;
    for (let i = 1; names.has(name); i++) name = `${hint}_${i}`;
    names.add(name);
    nodes.push({ name, op: 'Reorder', inputs: [from], outputs: [to], attributes: { src_perm: [0, 1], dst_perm: [1, 0] } });
    reordered.set(from, to);
    return to;
  };
  for (const node of graph.nodes) {
    node.inputs = node.inputs.map((value, slot) => {
      const maker = makers.get(value);
      const wanted = layouts.wanted(node, slot);
      if (!value || graph.constant(value) || layouts.of(maker) === wanted) return value;
      const found = reordered.get(value);
      if (found) return found;
      const { dtype, shape } = graph.value(value);
      const suffix = wanted === 'transposed' ? '_reorder' : '_recover';
      const made = graph.addValue({ name: graph.freeName(value + suffix), dtype, shape }).name;
      return reorder(value, made, wanted === 'transposed' ? `${node.name}_Reorder_Post_${slot}` : `${maker!.name}_Reorder_Recover`);
    });
    nodes.push(node);
    for (const output of node.outputs) {
      const shown = outputs.get(output);
      if (shown) reorder(output, shown, `${node.name}_Reorder_Recover`);
    }
  }
  graph.nodes = nodes;
}

/** Gives transposed results of the graph a name of their own, so that theirs can go to the Reorder behind. New name → name outside. */
function hideTransposedOutputs(graph: Graph, layouts: LayoutAssignment): Map<string, string> {
  const hidden = new Map<string, string>();
  for (const node of graph.nodes) {
    if (layouts.of(node) === 'plain') continue;
    node.outputs = node.outputs.map((name) => {
      if (!graph.outputs.includes(name)) return name;
      const { dtype, shape } = graph.value(name);
      const inner = graph.addValue({ name: graph.freeName(`${name}_transposed`), dtype, shape }).name;
      for (const reader of graph.nodes) reader.inputs = reader.inputs.map((input) => (input === name ? inner : input));
      hidden.set(inner, name);
      return inner;
    });
  }
  return hidden;
}
