import { EngineError, type Tensor, toBf16 } from '@neural-engine/core';
import type { Graph } from '@neural-engine/ir';
import { roundBetween } from './between';
import type { Recipe } from './recipe';
import { select } from './select';

/**
 * bf16: the weights of all products that the recipe does not keep are rounded to bf16, to nearest even; at run time their inputs are too,
 * and sums, biases, attention, softmax and LayerNorm stay f32, but for what the recipe's `between` rounds to bf16. Needs no calibration.
 *
 * Returns a new graph.
 * @throws {EngineError} E_QUANT the graph is quantised already or holds nothing to quantise, or a weight is NaN, infinite, or above the
 * largest bf16 (3.39e38); E_USAGE the recipe names an unknown node; E_UNSUPPORTED it wants one in int8.
 */
export function toBf16Graph(source: Graph, recipe: Recipe = {}): Graph {
  const graph = source.clone();
  const rounded = new Map<string, string>();
  const selection = select(graph, recipe, 'bf16');
  if (recipe.between === 'bf16') roundBetween(graph, selection);
  for (const node of selection.products) {
    const name = node.inputs[1]!;
    let bf16 = rounded.get(name);
    if (bf16 === undefined) {
      bf16 = graph.addConstant(`${name}_bf16`, roundWeight(graph.constant(name)!, name));
      rounded.set(name, bf16);
    }
    node.inputs = node.inputs.map((input, slot) => (slot === 1 ? bf16 : input));
  }
  return graph;
}

const INFINITY_BITS = 0x7f80;

/**
 * The bf16 nearest to each weight, ties to even.
 *
 * @param weight f32, any shape.
 * @throws {EngineError} E_QUANT a weight is not finite, before or after rounding.
 */
export function roundWeight(weight: Tensor, where: string): Tensor {
  const source = weight.data as Float32Array;
  const data = new Uint16Array(source.length);
  for (let i = 0; i < source.length; i++) {
    const bits = toBf16(source[i]!);
    if ((bits & INFINITY_BITS) === INFINITY_BITS) {
      const reason = Number.isFinite(source[i]!) ? 'above the largest bf16' : 'not a finite number';
      throw new EngineError('E_QUANT', 'quantize', `weight "${where}" holds ${source[i]} at element ${i}: ${reason}`, { where });
    }
    data[i] = bits;
  }
  return { dtype: 'bf16', dims: weight.dims, data };
}
