import type { Tensor } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';
import { roundBetween } from './between';
import { roundWeight } from './bf16';
import type { Recipe } from './recipe';
import { select } from './select';
import { PerWeight } from './weight';

/**
 * Dynamic int8: weights s8 per output channel, activations u8 with a range of its own for each token, found at run time. Needs no
 * calibration.
 *
 * Each value that a product reads passes one DynamicQuantize, which all its readers share. Products give f32; attention, residual sums,
 * LayerNorm and softmax stay f32, but for what the recipe's `between` rounds to bf16. Returns a new graph.
 * @throws {EngineError} E_QUANT the graph is quantised already, holds nothing to quantise, or a weight is not finite; E_USAGE the recipe
 * names an unknown node; E_UNSUPPORTED it wants attention in 8 bits or in bf16.
 */
export function quantizeDynamic(source: Graph, recipe: Recipe = {}): Graph {
  const graph = source.clone();
  const selection = select(graph, recipe, 'dynamic-int8');
  if (recipe.between === 'bf16') roundBetween(graph, selection);
  const { products, halves } = selection;
  const codes = new Map<string, TokenCodes>();
  const weights = new PerWeight(({ data, min, max }, _, name): CodedWeight => {
    const constant = (hint: string, tensor: Tensor): string => graph.addConstant(`${name}${hint}`, tensor);
    return [constant('_s8', data), constant('_min', min), constant('_max', max)];
  });
  graph.nodes = graph.nodes.flatMap((node) => {
    if (halves.has(node)) return [halfProduct(graph, node)];
    if (!products.has(node)) return [node];
    const x = node.inputs[0]!;
    const found = codes.get(x);
    const quantize = found ? undefined : dynamicQuantize(graph, x);
    const used = found ?? tokenCodes(quantize!);
    codes.set(x, used);
    const name = node.inputs[1]!;
    const product = dynamicProduct(node, used, weights.of(graph.constant(name)!, node.attributes['transposed'] === true, name));
    return quantize ? [quantize, product] : [product];
  });
  return graph;
}

/** A product that the recipe puts in bf16. */
function halfProduct(graph: Graph, node: Node): Node {
  const weight = node.inputs[1]!;
  const rounded = graph.addConstant(`${weight}_bf16`, roundWeight(graph.constant(weight)!, weight));
  return { ...node, inputs: node.inputs.map((input, slot) => (slot === 1 ? rounded : input)) };
}

interface TokenCodes {
  readonly codes: string;
  readonly step: string;
  readonly zero: string;
}

const tokenCodes = ({ outputs: [codes, step, zero] }: Node): TokenCodes => ({ codes: codes!, step: step!, zero: zero! });

function dynamicQuantize(graph: Graph, x: string): Node {
  const { shape } = graph.value(x);
  const tokens = shape && [...shape.slice(0, -1), 1];
  const value = (hint: string, dtype: 'u8' | 'f32'): string =>
    graph.addValue({ name: graph.freeName(`${x}_${hint}`), dtype, shape: dtype === 'u8' ? shape : tokens }).name;
  const outputs = [value('u8', 'u8'), value('step', 'f32'), value('zero', 'f32')];
  return { name: `${x}/quantize`, op: 'DynamicQuantize', inputs: [x], outputs, attributes: {} };
}

type CodedWeight = readonly [data: string, min: string, max: string];

function dynamicProduct(node: Node, { codes, step, zero }: TokenCodes, [data, min, max]: CodedWeight): Node {
  const [, , bias = '', residual = ''] = node.inputs as [string, string, string?, string?];
  const inputs = [codes, data, bias, residual, '', '', min, max, '', '', '', '', step, zero];
  return { ...node, inputs, attributes: { ...node.attributes, output_dtype: 'f32' } };
}
