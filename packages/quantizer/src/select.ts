import { EngineError } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';
import type { LayerPrecision, Recipe } from './recipe';

/** Where int8 goes: decided from the graph and the recipe, before any value is known. */
export interface Selection {
  /** InnerProduct nodes with weights of the model's precision: int8, or bf16 where all is. */
  readonly products: ReadonlySet<Node>;
  /** InnerProduct nodes that the recipe puts in bf16 beside them. */
  readonly halves: ReadonlySet<Node>;
  /** Attention nodes with int8 products; their queries, keys and values come from {@link products}. */
  readonly attentions: ReadonlySet<Node>;
}

const HEAD_CHANNELS = 16;

/** @throws {EngineError} E_QUANT the graph is quantised already, or holds nothing to quantise; E_USAGE the recipe names an unknown node. */
export function select(graph: Graph, recipe: Recipe = {}): Selection {
  const quantised = graph.nodes.find(
    (node) =>
      node.op === 'Quantize' ||
      node.op === 'DynamicQuantize' ||
      (node.op === 'InnerProduct' && ['s8', 'bf16'].includes(graph.constant(node.inputs[1])?.dtype ?? '')),
  );
  if (quantised)
    throw new EngineError('E_QUANT', 'quantize', `the model is quantised already (node "${quantised.name}"); start from its f32 form`, {
      where: quantised.name,
    });
  const layers = layersOf(graph, recipe);
  const products = new Set(graph.nodes.filter((node) => isProduct(graph, node) && wantsInt8(graph, node, recipe, layers)));
  if (products.size === 0) throw new EngineError('E_QUANT', 'quantize', 'the model has no product with a constant weight to quantise');
  const producers = graph.producers();
  const consumers = graph.consumers();
  const attentions = new Set<Node>();
  for (const node of graph.nodes) {
    if (node.op !== 'Attention' || (layers.get(node.name) ?? 'int8') !== 'int8') continue;
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
  const halves = new Set(graph.nodes.filter((node) => isProduct(graph, node) && layers.get(node.name) === 'bf16'));
  return { products, halves, attentions };
}

/** Whether a node multiplies by a constant f32 weight. */
export const isProduct = (graph: Graph, node: Node): boolean =>
  node.op === 'InnerProduct' && graph.constant(node.inputs[1])?.dtype === 'f32';

/** Whether a product has so few output channels that it is taken for a head, which int8 gains nothing for. */
export function isHead(graph: Graph, node: Node): boolean {
  const { dims } = graph.constant(node.inputs[1])!;
  return (node.attributes['transposed'] === true ? dims[0]! : dims[1]!) < HEAD_CHANNELS;
}

/** Whether a recipe leaves any product to quantise. @throws {EngineError} as {@link select}, but for that. */
export function leavesAnything(graph: Graph, recipe: Recipe): boolean {
  const layers = layersOf(graph, recipe);
  return graph.nodes.some((node) => isProduct(graph, node) && wantsInt8(graph, node, recipe, layers));
}

function wantsInt8(graph: Graph, node: Node, recipe: Recipe, layers: ReadonlyMap<string, LayerPrecision>): boolean {
  const wanted = layers.get(node.name);
  return wanted === undefined ? recipe.heads === true || !isHead(graph, node) : wanted === 'int8';
}

/** What the recipe says of each layer. @throws {EngineError} E_USAGE the model has no such layer; E_UNSUPPORTED attention in bf16. */
function layersOf(graph: Graph, recipe: Recipe): Map<string, LayerPrecision> {
  const layers = new Map<string, LayerPrecision>(Object.entries(recipe.layers ?? {}));
  for (const name of recipe.keep ?? []) layers.set(name, 'fp32');
  const products = new Set(graph.nodes.filter((node) => isProduct(graph, node)).map((node) => node.name));
  const known = new Set([...products, ...graph.nodes.filter((node) => node.op === 'Attention').map((node) => node.name)]);
  for (const [name, precision] of layers) {
    if (!known.has(name))
      throw new EngineError('E_USAGE', 'quantize', `the recipe names "${name}", but the model has no such product or attention block`, {
        where: name,
      });
    if (precision === 'bf16' && !products.has(name))
      throw new EngineError('E_UNSUPPORTED', 'quantize', `the recipe wants the attention block "${name}" in bf16; it is int8 or fp32`, {
        where: name,
      });
  }
  return layers;
}
