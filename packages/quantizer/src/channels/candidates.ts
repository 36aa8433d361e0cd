import type { Graph, Node } from '@neural-engine/ir';
import type { Recipe } from '../recipe';
import { select } from '../select';

/** Values whose channels may be treated apart: decided from the graph and the recipe, before any value is known. */
export interface ChannelCandidates {
  /** Results of LayerNorms, with the int8 products that read them. */
  readonly norms: ReadonlyMap<string, readonly Node[]>;
  /** Activations between two int8 products: the one that makes them and the one that reads them. */
  readonly hidden: ReadonlyMap<string, readonly [maker: Node, reader: Node]>;
}

/** Fewer channels than this are not worth a second product. */
const MIN_HIDDEN = 64;

export function channelCandidates(graph: Graph, recipe: Recipe = {}): ChannelCandidates {
  const { products } = select(graph, recipe);
  const [producers, consumers] = [graph.producers(), graph.consumers()];
  const norms = new Map<string, Node[]>();
  const hidden = new Map<string, [Node, Node]>();
  for (const node of products) {
    const x = node.inputs[0]!;
    const producer = producers.get(x);
    if (producer && isPlainNorm(graph, producer)) norms.set(x, [...(norms.get(x) ?? []), node]);
    else if (producer && products.has(producer) && isHidden(graph, producer, node, consumers.get(x)!)) hidden.set(x, [producer, node]);
  }
  return { norms, hidden };
}

/** A LayerNorm with constant γ and β. */
const isPlainNorm = (graph: Graph, node: Node): boolean =>
  node.op === 'LayerNorm' && [1, 2].every((slot) => graph.constant(node.inputs[slot])?.dtype === 'f32');

/** Whether a value is coded by its maker and read by nothing but a product that ends in f32 and adds to something. */
function isHidden(graph: Graph, maker: Node, reader: Node, readers: readonly Node[]): boolean {
  const y = maker.outputs[0]!;
  return (
    (maker.attributes['activation'] ?? 'none') !== 'none' &&
    !maker.inputs[3] &&
    readers.length === 1 &&
    !graph.outputs.includes(y) &&
    (reader.attributes['activation'] ?? 'none') === 'none' &&
    Boolean(reader.inputs[3]) &&
    reader.inputs[3] !== y &&
    outputsOf(graph, maker) >= MIN_HIDDEN
  );
}

function outputsOf(graph: Graph, node: Node): number {
  const { dims } = graph.constant(node.inputs[1])!;
  return node.attributes['transposed'] === true ? dims[0]! : dims[1]!;
}
