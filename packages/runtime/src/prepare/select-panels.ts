import type { Graph, Node } from '@neural-engine/ir';

/** Unary operators that are an activation step on panels. */
export const PANEL_ACTIVATIONS: Readonly<Record<string, 'relu' | 'tanh' | 'sigmoid'>> = { Relu: 'relu', Tanh: 'tanh', Sigmoid: 'sigmoid' };

const rank = (graph: Graph, name: string | undefined): number => (name ? (graph.values.get(name)?.shape?.length ?? 0) : 0);

/** The mask that a panel attention can obey: none, or a PaddingMask of a [batch, sequence] value. */
export function keyMaskOf(node: Node, producers: ReadonlyMap<string, Node>): { ok: boolean; padding?: Node } {
  const mask = node.inputs[3];
  if (!mask) return { ok: true };
  const padding = producers.get(mask);
  return padding?.op === 'PaddingMask' ? { ok: true, padding } : { ok: false };
}

/** What the kernel for 8-bit attention takes: features of a head, in fours. */
const MAX_HEAD_FEATURES = 4096;

/** Whether attention reads these s8 codes as its queries, and nobody else does: it takes them as u8 with zero point 128. */
export function isQuery(graph: Graph, name: string, consumers: ReadonlyMap<string, Node[]>): boolean {
  const readers = consumers.get(name) ?? [];
  return (
    graph.value(name).dtype === 's8' &&
    readers.length > 0 &&
    readers.every(({ op, inputs: [q, k, v] }) => op === 'Attention' && q === name && k !== name && v !== name)
  );
}

/** Whether attention runs as a panel step: under a key mask, and on codes only of a form that the kernel takes. */
export function isPanelAttention(
  graph: Graph,
  node: Node,
  producers: ReadonlyMap<string, Node>,
  consumers: ReadonlyMap<string, Node[]>,
): boolean {
  if (!keyMaskOf(node, producers).ok) return false;
  const q = node.inputs[0]!;
  const { dtype, shape } = graph.value(q);
  if (dtype !== 's8') return true;
  const features = Number(shape?.at(-1)) / (node.attributes['heads'] as number);
  const isTaken = features % 4 === 0 && features <= MAX_HEAD_FEATURES && (node.attributes['scale'] as number) >= 0;
  return isTaken && isQuery(graph, q, consumers);
}

/** Whether a LayerNorm runs as a panel step: one of f32 rows, by constants. */
export const isPanelNorm = (graph: Graph, { inputs: [x, scale, bias] }: Node): boolean =>
  graph.values.get(x ?? '')?.dtype === 'f32' && rank(graph, x) >= 2 && [scale, bias].every((name) => graph.constant(name) !== undefined);

/** Whether a Quantize or Dequantize runs as a panel step: of rows of known length, by constants. */
export const isPanelCode = (graph: Graph, { inputs: [x, ...constants] }: Node): boolean =>
  rank(graph, x) >= 2 &&
  typeof graph.value(x!).shape!.at(-1) === 'number' &&
  constants.every((name) => !name || graph.constant(name) !== undefined);

/**
 * The nodes that run as panel steps.
 *
 * Products with constant weights, embeddings, attention under a key mask, LayerNorm and the cheap steps between them. Steps that gain
 * nothing alone (activation, addition, quantise) are taken only next to others, where staying in panels saves two transpositions.
 */
export function selectPanelNodes(graph: Graph): Set<Node> {
  const producers = graph.producers();
  const panel = new Set<Node>();
  const fromPanel = (name: string | undefined): boolean => Boolean(name && panel.has(producers.get(name)!));
  const constant = (name: string | undefined): boolean => graph.constant(name) !== undefined;
  const isF32 = (name: string | undefined): boolean => Boolean(name && graph.values.get(name)?.dtype === 'f32');

  const accepts = (node: Node): boolean => {
    const [a, b] = node.inputs;
    switch (node.op) {
      case 'Embeddings':
        return constant(b) && (!node.inputs[2] || constant(node.inputs[2])) && (!node.inputs[4] || constant(node.inputs[4]));
      case 'InnerProduct':
        return constant(b) && (!node.inputs[2] || constant(node.inputs[2])) && rank(graph, a) >= 2;
      case 'LayerNorm':
        return isPanelNorm(graph, node);
      case 'Attention':
        return keyMaskOf(node, producers).ok && [0, 1, 2].every((slot) => rank(graph, node.inputs[slot]) === 3);
      case 'DynamicQuantize':
        return isF32(a) && rank(graph, a) >= 2;
      case 'Quantize':
      case 'Dequantize':
        return isPanelCode(graph, node);
      case 'Gelu':
        return isF32(a) && fromPanel(a);
      case 'Add':
        return isF32(a) && fromPanel(a) && fromPanel(b) && sameShape(graph, a!, b!);
      default:
        return PANEL_ACTIVATIONS[node.op] !== undefined && isF32(a) && fromPanel(a);
    }
  };
  for (const node of graph.nodes) if (accepts(node)) panel.add(node);
  return panel;
}

function sameShape(graph: Graph, a: string, b: string): boolean {
  const [x, y] = [graph.value(a).shape, graph.value(b).shape];
  return Boolean(x && y && x.length === y.length && x.every((dim, i) => dim !== null && dim === y[i]));
}
