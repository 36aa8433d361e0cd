import { EngineError } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';
import { BETWEEN } from './between';
import type { Precision } from './precision';
import type { LayerPrecision, Recipe } from './recipe';

/** The precisions that a model is quantised to. */
export type QuantizedPrecision = Exclude<Precision, 'fp32'>;

/** Which layer is computed in what: decided from the graph and the recipe, before any value is known. */
export interface Selection {
  /** InnerProduct nodes with weights of the model's precision. */
  readonly products: ReadonlySet<Node>;
  /** InnerProduct nodes that the recipe puts in bf16 beside 8-bit ones. */
  readonly halves: ReadonlySet<Node>;
  /** Attention nodes with int8 products; their queries, keys and values come from {@link products} that add no residual. */
  readonly attentions: ReadonlySet<Node>;
}

const HEAD_CHANNELS = 16;

/**
 * @param precision  That of the model: what layers are that the recipe does not name.
 * @throws {EngineError} E_QUANT the graph is quantised already, or holds nothing to quantise; E_USAGE the recipe names an unknown node;
 * E_UNSUPPORTED it wants a layer in what such a model cannot have it in.
 */
export function select(graph: Graph, recipe: Recipe = {}, precision: QuantizedPrecision = 'int8'): Selection {
  if (recipe.between !== undefined && !BETWEEN.includes(recipe.between))
    throw new EngineError('E_USAGE', 'quantize', `between is "${recipe.between}", none of ${BETWEEN.join(', ')}`, { where: 'between' });
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
  const layers = layersOf(graph, recipe, precision);
  const own = ownPrecision(precision);
  const products = new Set(graph.nodes.filter((node) => isProduct(graph, node) && wanted(graph, node, recipe, layers, own) === own));
  if (products.size === 0) throw new EngineError('E_QUANT', 'quantize', 'the model has no product with a constant weight to quantise');
  const producers = graph.producers();
  const consumers = graph.consumers();
  const attentions = new Set<Node>();
  for (const node of graph.nodes) {
    if (node.op !== 'Attention' || precision !== 'int8' || (layers.get(node.name) ?? 'int8') !== 'int8') continue;
    // A product that adds a residual gives f32.
    const fromProducts = node.inputs.slice(0, 3).every((name) => {
      const maker = producers.get(name)!;
      const isOwn = consumers.get(name)!.every((reader) => reader === node) && !graph.outputs.includes(name);
      return products.has(maker) && !maker.inputs[3] && isOwn;
    });
    const output = node.outputs[0]!;
    const toProducts =
      !graph.outputs.includes(output) &&
      (consumers.get(output) ?? []).every((reader) => products.has(reader) && reader.inputs[0] === output);
    if (fromProducts && toProducts) attentions.add(node);
  }
  const halves = new Set(graph.nodes.filter((node) => isProduct(graph, node) && !products.has(node) && layers.get(node.name) === 'bf16'));
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

/** Whether a recipe leaves any product in int8. @throws {EngineError} as {@link select}, but for that. */
export function leavesAnything(graph: Graph, recipe: Recipe): boolean {
  const layers = layersOf(graph, recipe, 'int8');
  return graph.nodes.some((node) => isProduct(graph, node) && wanted(graph, node, recipe, layers, 'int8') === 'int8');
}

/** What a recipe calls the layers of a model of some precision; those of a dynamic int8 model are int8 too. */
const ownPrecision = (precision: QuantizedPrecision): LayerPrecision => (precision === 'bf16' ? 'bf16' : 'int8');

function wanted(
  graph: Graph,
  node: Node,
  recipe: Recipe,
  layers: ReadonlyMap<string, LayerPrecision>,
  own: LayerPrecision,
): LayerPrecision {
  return layers.get(node.name) ?? (recipe.heads === true || !isHead(graph, node) ? own : 'fp32');
}

/** Why a layer cannot be what a recipe wants it to be, and what it can; undefined where it can. */
function obstacle(isProduct: boolean, layer: LayerPrecision, precision: QuantizedPrecision): string | undefined {
  if (layer === 'fp32') return undefined;
  if (isProduct) return layer === 'int8' && precision === 'bf16' ? INT8_IN_BF16 : undefined;
  if (layer === 'bf16') return BF16_ATTENTION;
  return precision === 'int8' ? undefined : INT8_ATTENTION;
}

const INT8_IN_BF16 = 'nothing is observed for a bf16 model; make an int8 or dynamic-int8 one and name the layers that are bf16';
const BF16_ATTENTION =
  'there is no kernel that multiplies queries, keys and values in bf16; as fp32 it runs between products of any precision';
const INT8_ATTENTION = 'its 8-bit form needs ranges from calibration, which only int8 models have; as fp32 it reads what the products give';

/** What the recipe says of each layer. @throws {EngineError} E_USAGE the model has no such layer; E_UNSUPPORTED it cannot be that. */
function layersOf(graph: Graph, recipe: Recipe, precision: QuantizedPrecision): Map<string, LayerPrecision> {
  const layers = new Map<string, LayerPrecision>(Object.entries(recipe.layers ?? {}));
  for (const name of recipe.keep ?? []) layers.set(name, 'fp32');
  const products = new Set(graph.nodes.filter((node) => isProduct(graph, node)).map((node) => node.name));
  const known = new Set([...products, ...graph.nodes.filter((node) => node.op === 'Attention').map((node) => node.name)]);
  for (const [name, layer] of layers) {
    if (!known.has(name))
      throw new EngineError('E_USAGE', 'quantize', `the recipe names "${name}", but the model has no such product or attention block`, {
        where: name,
      });
    const reason = obstacle(products.has(name), layer, precision);
    if (reason) {
      const what = products.has(name) ? 'product' : 'attention block';
      const message = `the recipe wants the ${what} "${name}" of a ${precision} model in ${layer}: ${reason}`;
      throw new EngineError('E_UNSUPPORTED', 'quantize', message, { where: name });
    }
  }
  return layers;
}
