import { EngineError } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';

/** What each product of a model is computed in. Names are node names. */
export interface Recipe {
  /** Products that stay f32. */
  readonly keep?: readonly string[];
  /** Also quantise products with fewer than 16 output channels (heads). */
  readonly heads?: boolean;
}

/** Where int8 goes: decided from the graph and the recipe, before any value is known. */
export interface Selection {
  /** InnerProduct nodes with int8 or bf16 weights. */
  readonly products: ReadonlySet<Node>;
  /** Attention nodes with int8 products; their queries, keys and values come from {@link products}. */
  readonly attentions: ReadonlySet<Node>;
}

const HEAD_CHANNELS = 16;

/** @throws {EngineError} E_QUANT the graph is quantised already, or holds nothing to quantise; E_USAGE the recipe names an unknown node. */
export function select(graph: Graph, recipe: Recipe = {}): Selection {
  const quantised = graph.nodes.find(
    (node) =>
      node.op === 'Quantize' || (node.op === 'InnerProduct' && ['s8', 'bf16'].includes(graph.constant(node.inputs[1])?.dtype ?? '')),
  );
  if (quantised)
    throw new EngineError('E_QUANT', 'quantize', `the model is quantised already (node "${quantised.name}"); start from its f32 form`, {
      where: quantised.name,
    });
  const keep = new Set(recipe.keep ?? []);
  for (const name of keep) {
    if (!graph.nodes.some((node) => node.name === name))
      throw new EngineError('E_USAGE', 'quantize', `the recipe keeps "${name}", but the model has no such node`, { where: name });
  }
  const products = new Set<Node>();
  for (const node of graph.nodes) {
    if (node.op !== 'InnerProduct' || keep.has(node.name)) continue;
    const weight = graph.constant(node.inputs[1]);
    if (weight?.dtype !== 'f32') continue;
    const channels = node.attributes['transposed'] === true ? weight.dims[0]! : weight.dims[1]!;
    if (channels >= HEAD_CHANNELS || recipe.heads) products.add(node);
  }
  if (products.size === 0) throw new EngineError('E_QUANT', 'quantize', 'the model has no product with a constant weight to quantise');
  const producers = graph.producers();
  const consumers = graph.consumers();
  const attentions = new Set<Node>();
  for (const node of graph.nodes) {
    if (node.op !== 'Attention' || keep.has(node.name)) continue;
    const fromProducts = node.inputs
      .slice(0, 3)
      .every(
        (name) =>
          products.has(producers.get(name)!) && consumers.get(name)!.every((reader) => reader === node) && !graph.outputs.includes(name),
      );
    const output = node.outputs[0]!;
    const toProducts =
      !graph.outputs.includes(output) &&
      (consumers.get(output) ?? []).every((reader) => products.has(reader) && reader.inputs[0] === output);
    if (fromProducts && toProducts) attentions.add(node);
  }
  return { products, attentions };
}
