import type { Graph, Node } from '@neural-engine/ir';
import { packSequences } from './pack-sequences';
import type { Component } from './prepared';
import { keyMaskOf } from './select-panels';

/** Inputs of a panel node that are read as panels (the others are ids, constants or masks). */
export function panelInputs(node: Node): string[] {
  const slots =
    node.op === 'Embeddings'
      ? []
      : node.op === 'InnerProduct'
        ? [0, 3, 12, 13]
        : node.op === 'Attention'
          ? [0, 1, 2]
          : node.op === 'Add'
            ? [0, 1]
            : [0];
  return slots.map((slot) => node.inputs[slot]).filter((name): name is string => Boolean(name));
}

/** Panel nodes that hand panels to each other; each group shares one set of rows. */
export function findComponents(graph: Graph, panel: ReadonlySet<Node>): { components: Component[]; of: Map<Node, number> } {
  const producers = graph.producers();
  const { groups, of } = groupNodes(producers, panel);
  return { components: groups.map((nodes) => describe(graph, nodes, producers)), of };
}

/** Attentions under another mask than most of their group: a group has one map of its tokens. */
export function unlikeMasks(graph: Graph, panel: ReadonlySet<Node>): ReadonlySet<Node> {
  const producers = graph.producers();
  return new Set(
    groupNodes(producers, panel).groups.flatMap((nodes) => {
      const byMask = new Map<string, Node[]>();
      for (const node of nodes) {
        if (node.op !== 'Attention') continue;
        const { padding } = keyMaskOf(node, producers);
        const key = padding ? `${padding.attributes['value']} ${padding.inputs[0]}` : '';
        byMask.set(key, [...(byMask.get(key) ?? []), node]);
      }
      return [...byMask.values()]
        .sort((a, b) => b.length - a.length)
        .slice(1)
        .flat();
    }),
  );
}

function groupNodes(producers: ReadonlyMap<string, Node>, panel: ReadonlySet<Node>): { groups: Node[][]; of: Map<Node, number> } {
  const parent = new Map<Node, Node>();
  const root = (node: Node): Node => {
    let at = node;
    while (parent.get(at)! !== at) at = parent.get(at)!;
    return at;
  };
  for (const node of panel) parent.set(node, node);
  for (const node of panel) {
    const inputs = panelInputs(node);
    for (const input of inputs) {
      const producer = producers.get(input);
      if (producer && panel.has(producer)) parent.set(root(node), root(producer));
    }
    // Two panel inputs of one node lie in the same rows even where neither was made by a panel node.
    for (const other of panel)
      if (other !== node && panelInputs(other).some((name) => inputs.includes(name) && !producers.get(name)))
        parent.set(root(node), root(other));
  }
  const of = new Map<Node, number>();
  const groups: Node[][] = [];
  const indexOfRoot = new Map<Node, number>();
  for (const node of panel) {
    const top = root(node);
    let index = indexOfRoot.get(top);
    if (index === undefined) {
      index = groups.length;
      indexOfRoot.set(top, index);
      groups.push([]);
    }
    groups[index]!.push(node);
    of.set(node, index);
  }
  return { groups, of };
}

function describe(graph: Graph, nodes: readonly Node[], producers: ReadonlyMap<string, Node>): Component {
  const attention = nodes.filter((node) => node.op === 'Attention');
  const first = nodes[0]!;
  const rowsOf = first.op === 'Embeddings' ? first.outputs[0]! : panelInputs(first)[0]!;
  if (attention.length === 0 && !nodes.some((node) => node.op === 'Embeddings')) {
    return { kind: 'rows', rowsOf, maskedBias: 0, pack: false, packReason: 'no attention' };
  }
  const padding = attention[0] && keyMaskOf(attention[0], producers).padding;
  if (!padding) return { kind: 'tokens', rowsOf, maskedBias: 0, pack: false, packReason: 'no mask' };
  // JSON has no infinity; the most negative f32 has the same effect wherever one key is left unmasked.
  const maskedBias = Math.max(padding.attributes['value'] as number, -3.4028234663852886e38);
  return { kind: 'tokens', rowsOf, mask: padding.inputs[0]!, maskedBias, ...packSequences(graph, new Set(nodes), padding) };
}
