import { fromBf16, type Tensor, toBf16 } from '@neural-engine/core';
import type { Value } from '@neural-engine/ir';
import { constant, type Declined, decline, oneOf, op, type Replacement, rewrite, value } from '../rewrite';
import { biasVector, checkProduct } from './fuse-inner-product';

const half = op('Cast', value('x')).with({ to: 'bf16' }).shared();
/** x rounded to bf16, as f32. */
const rounded = op('Cast', half).with({ to: 'f32' }).shared();
const weight = constant('weight');

/**
 * MatMul or Gemm of an activation rounded to bf16 by a constant of bf16 values  →  InnerProduct with a bf16 weight.
 *
 * Files store such a constant as bf16 and cast it to f32, which has been folded here: a constant counts when rounding changes none of it.
 */
export const lowerBf16Product = rewrite({
  name: 'lower-bf16-product',
  summary: 'a product of values cast to bf16 and back by a constant of bf16 values becomes an InnerProduct on bf16',
  pattern: oneOf(op('MatMul', rounded, weight), op('Gemm', rounded, weight, constant('bias')), op('Gemm', rounded, weight)),
  replace: ({ x, weight, bias }, graph) => {
    const { alpha = 1, beta = 1, transA = 0, transB = 0 } = graph.root.attributes;
    if (transA || alpha !== 1 || (bias && beta !== 1)) return decline('it scales or transposes its operands');
    const transposed = Boolean(transB);
    const obstacle = checkProduct(x, weight, transposed);
    if (obstacle) return obstacle;
    const bits = asBf16(weight.constant!);
    if (!bits) return decline('its weight is not made of bf16 values');
    const vector = bias && biasVector(bias, weight.shape!.at(transposed ? 0 : 1)!, graph);
    if (bias && !vector) return decline('its third operand is no vector over the outputs');
    return product(x, graph.constant(`${weight.name}_bf16`, bits), vector, transposed, graph);
  },
});

/**
 * MatMul in bf16 whose result is cast to f32  →  InnerProduct with a bf16 weight.
 *
 * The sums are f32 and stay so: the rounding of the result to bf16, which the file asks for, is left out.
 */
export const lowerBf16MatMul = rewrite({
  name: 'lower-bf16-matmul',
  summary: 'a MatMul of bf16 operands, cast to f32, becomes an InnerProduct on bf16',
  pattern: op('Cast', op('MatMul', half, weight)).with({ to: 'f32' }),
  replace: ({ x, weight }, graph) => checkProduct(x, weight, false, 'bf16') ?? product(x, weight, undefined, false, graph),
});

function product(x: Value, weight: Value, bias: Value | undefined, transposed: boolean, graph: Replacement): Value | Declined {
  return graph.op('InnerProduct', [x, weight, bias], { transposed, activation: 'none' });
}

/** f32 as the bf16 that it is; undefined where a value would change. */
function asBf16({ dims, data }: Tensor): Tensor | undefined {
  const source = data as Float32Array;
  const bits = new Uint16Array(source.length);
  for (let i = 0; i < source.length; i++) {
    bits[i] = toBf16(source[i]!);
    if (!Object.is(fromBf16(bits[i]!), source[i])) return undefined;
  }
  return { dtype: 'bf16', dims, data: bits };
}
