import type { Attributes, Value } from '@neural-engine/ir';
import { lastDim, sameShape } from '../facts/shape-facts';
import { carryRange, constant, type Declined, decline, oneOf, op, type Replacement, rewrite, value } from '../rewrite';

/** Operand slots of InnerProduct, as its schema lists them. */
const SLOT = { x: 0, weight: 1, bias: 2, residual: 3 } as const;

const x = value('x');
const bias = constant('bias');
/** A weight is a constant, or an s8 constant that is still to be dequantised. */
const weight = oneOf(
  constant('weight'),
  op('DequantizeLinear', constant('codes'), constant('scale'), constant('zero')).shared().as('weight'),
  op('DequantizeLinear', constant('codes'), constant('scale')).shared().as('weight'),
);

/**
 * MatMul by a constant matrix  →  InnerProduct.
 *
 * x f32 [..., K], weight [K, N] → f32 [..., N].
 */
export const lowerMatMul = rewrite({
  name: 'lower-matmul',
  summary: 'MatMul by a constant matrix becomes InnerProduct',
  pattern: op(
    'MatMul',
    x,
    oneOf(
      weight,
      op('Transpose', weight)
        .with({ perm: [1, 0] })
        .as('flipped'),
    ),
  ),
  replace: ({ x, weight, flipped }, graph) =>
    checkProduct(x, weight, flipped !== undefined) ??
    graph.op('InnerProduct', [x, weight], { transposed: flipped !== undefined, activation: 'none' }),
});

/**
 * Gemm by a constant matrix  →  InnerProduct, with its third operand as the bias where that is a vector.
 */
export const lowerGemm = rewrite({
  name: 'lower-gemm',
  summary: 'Gemm by a constant matrix becomes InnerProduct',
  pattern: oneOf(op('Gemm', x, weight, bias), op('Gemm', x, weight)),
  replace: ({ x, weight, bias }, graph) => {
    const { alpha = 1, beta = 1, transA = false, transB = false } = graph.root.attributes;
    if (transA) return decline('its first operand is transposed');
    if (alpha !== 1 || (bias && beta !== 1)) return decline('it scales its operands');
    const transposed = Boolean(transB);
    const obstacle = checkProduct(x, weight, transposed);
    if (obstacle) return obstacle;
    const vector = bias && biasVector(bias, weight.shape!.at(transposed ? 0 : 1)!, graph);
    if (bias && !vector) return decline('its third operand is no vector over the outputs');
    return graph.op('InnerProduct', [x, weight, vector], { transposed, activation: 'none' });
  },
});

/** Why x · weight is no linear layer; undefined where it is one. */
export function checkProduct(x: Value, weight: Value, transposed: boolean, dtype: 'f32' | 'bf16' = 'f32'): Declined | undefined {
  if (x.dtype !== 'f32' || weight.dtype !== dtype) return decline(`it multiplies ${x.dtype} by ${weight.dtype}`);
  if (weight.shape?.length !== 2) return decline('the constant is no matrix');
  if (x.shape === undefined || x.shape.length < 2) return decline('the rank of its first operand is unknown or below 2');
  const k = weight.shape[transposed ? 1 : 0]!;
  const last = lastDim(x.shape);
  return last === k ? undefined : decline(`the last axis of its first operand is ${last ?? 'unknown'}, the weight has ${k} inputs`);
}

const product = op('InnerProduct').as('product');

/**
 * Rows flattened, multiplied, and put back  →  the product of the unflattened tensor.
 *
 * An InnerProduct treats each row by itself, so that the two Reshapes around it only hide biases and residuals from it.
 */
export const unflattenProduct = rewrite({
  name: 'unflatten-product',
  summary: 'two Reshapes around an InnerProduct that flatten and restore its rows vanish',
  pattern: op('Reshape', product, value('dims')),
  replace: ({ product }, graph, { ranges, dynamic }) => {
    const node = graph.producer(product)!;
    const flatten = graph.producer(graph.input(node, SLOT.x));
    const x = flatten?.op === 'Reshape' ? graph.input(flatten, 0) : undefined;
    const target = graph.graph.value(graph.root.outputs[0]!).shape;
    if (!x?.shape || !target || graph.input(node, SLOT.residual)) return undefined;
    const rows = x.shape.slice(0, -1);
    if (!sameShape(x.shape.slice(-1), graph.input(node, SLOT.x)!.shape?.slice(-1))) return undefined;
    if (!sameShape(target, [...rows, lastDim(product.shape)!])) return undefined;
    carryRange(ranges, node.inputs[SLOT.x]!, x.name);
    if (dynamic.has(node.inputs[SLOT.x]!)) dynamic.add(x.name);
    return graph.op('InnerProduct', [x, ...node.inputs.slice(1).map((_, slot) => graph.input(node, slot + 1))], node.attributes);
  },
});

/** x·W + vector  →  InnerProduct with bias. */
export const absorbBias = rewrite({
  name: 'absorb-bias',
  summary: 'a vector added to an InnerProduct becomes its bias',
  pattern: op('Add', product, bias),
  replace: ({ product, bias }, graph) => {
    const parts = plainProduct(product, graph);
    if ('reason' in parts) return parts;
    if (parts.inputs[SLOT.bias]) return decline('the product has a bias already');
    const vector = biasVector(bias, lastDim(product.shape) ?? null, graph);
    if (!vector || bias.shape!.length > product.shape!.length) return decline('the summand is no vector over the last axis');
    parts.inputs[SLOT.bias] = vector;
    return graph.op('InnerProduct', parts.inputs, parts.attributes);
  },
});

/** x·W + y with y of the same shape  →  InnerProduct with residual. */
export const absorbResidual = rewrite({
  name: 'absorb-residual',
  summary: 'a tensor of the same shape added to an InnerProduct becomes its residual',
  pattern: op('Add', product, value('residual')),
  replace: ({ product, residual }, graph) => {
    const parts = plainProduct(product, graph);
    if ('reason' in parts) return parts;
    if (residual.constant) return decline('the summand is a constant');
    if (parts.inputs[SLOT.residual]) return decline('the product has a residual already');
    if (residual.dtype !== 'f32' || !sameShape(residual.shape, product.shape))
      return decline('the summand has another shape, or an unknown one');
    while (parts.inputs.length < SLOT.residual) parts.inputs.push(undefined);
    parts.inputs[SLOT.residual] = residual;
    return graph.op('InnerProduct', parts.inputs, parts.attributes);
  },
});

/** InnerProduct's names of the activations it can apply. */
function activationName(op: string, attributes: Attributes): string {
  if (op === 'Gelu') return attributes['approximate'] === 'tanh' ? 'gelu_tanh' : 'gelu_erf';
  return op.toLowerCase();
}

/** activation(x·W + …)  →  InnerProduct with activation. */
export const absorbActivation = rewrite({
  name: 'absorb-activation',
  summary: 'Gelu, Relu, Tanh or Sigmoid of an InnerProduct becomes its activation',
  pattern: op(['Gelu', 'Relu', 'Tanh', 'Sigmoid'], product),
  replace: ({ product }, graph) => {
    const parts = plainProduct(product, graph);
    if ('reason' in parts) return parts;
    const activation = activationName(graph.root.op, graph.root.attributes);
    return graph.op('InnerProduct', parts.inputs, { ...parts.attributes, activation });
  },
});

/** Operands and attributes of a product that has no activation yet, to build a larger one from. */
function plainProduct(product: Value, graph: Replacement): { inputs: (Value | undefined)[]; attributes: Attributes } | Declined {
  const node = graph.producer(product)!;
  if ((node.attributes['activation'] ?? 'none') !== 'none') return decline('the product has an activation already');
  if (node.attributes['rounding'] === 'bf16') return decline('the product rounds its result');
  return { inputs: node.inputs.map((_, slot) => graph.input(node, slot)), attributes: node.attributes };
}

/** `bias` as f32 [size], whatever 1s its shape has in front; undefined where it is something else. */
export function biasVector(bias: Value, size: unknown, graph: Replacement): Value | undefined {
  const { shape, constant } = bias;
  if (bias.dtype !== 'f32' || !shape || !constant || shape.at(-1) !== size || shape.slice(0, -1).some((dim) => dim !== 1)) return undefined;
  return shape.length === 1 ? bias : graph.constant(bias.name, { ...constant, dims: [constant.data.length] });
}
