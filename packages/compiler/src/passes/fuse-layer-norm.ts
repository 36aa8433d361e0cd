import type { Value } from '@neural-engine/ir';
import { lastDim, sameShape } from '../facts/shape-facts';
import { filled, integersOf, scalarValue } from '../facts/tensor-facts';
import { constant, type Declined, decline, oneOf, op, optional, type Replacement, rewrite, scalar, value } from '../rewrite';

const x = value('x');
const mean = op('ReduceMean', x, constant('axes')).with({ keepdims: 1 }).as('mean');
const centred = op('Sub', x, mean);
const squared = oneOf(op('Pow', centred, scalar(2)), op('Mul', centred, centred));
const variance = oneOf(
  op('ReduceMean', squared, constant('varianceAxes')).with({ keepdims: 1 }),
  // E[x²] − E[x]²
  op(
    'Sub',
    op('ReduceMean', oneOf(op('Mul', x, x), op('Pow', x, scalar(2))), constant('varianceAxes')).with({ keepdims: 1 }),
    oneOf(op('Mul', mean, mean), op('Pow', mean, scalar(2))),
  ),
);
const stable = optional(variance, (variance) => op('Add', variance, scalar('epsilon')));
const deviation = oneOf(op('Sqrt', stable), op('Pow', stable, scalar(0.5)));
const inverse = oneOf(op('Reciprocal', deviation), op('Div', scalar(1), deviation), op('Pow', stable, scalar(-0.5)));

/**
 * (x − mean(x)) / √(var(x) + ε)  →  LayerNorm(x, 1, 0) over the last axis.
 *
 * The square may be a power or a product, the root a square root, a power or a reciprocal. Scale and bias follow in
 * `absorb-layer-norm-affine`. Keeps shape and dtype. Source: Ba, Kiros & Hinton 2016, "Layer Normalization".
 */
export const fuseLayerNorm = rewrite({
  name: 'fuse-layer-norm',
  summary: '(x − mean) / √(variance + ε) over the last axis becomes LayerNorm',
  pattern: oneOf(op('Div', centred, deviation), op('Mul', centred, inverse)),
  replace: ({ x, axes, varianceAxes, epsilon }, graph) => {
    const hidden = lastDim(x.shape);
    if (x.dtype !== 'f32') return decline(`x is ${x.dtype}, not f32`);
    if (typeof hidden !== 'number') return decline('the size of the last axis is not known');
    if (!isLastAxis(axes, x) || !isLastAxis(varianceAxes, x)) return decline('mean and variance are not over the last axis alone');
    const attributes = { epsilon: scalarValue(epsilon?.constant) ?? 0 };
    if (!(attributes.epsilon >= 0)) return decline(`epsilon is ${attributes.epsilon}`);
    const ones = graph.constant('scale', filled('f32', [hidden], 1));
    return graph.op('LayerNorm', [x, ones, graph.constant('bias', filled('f32', [hidden], 0))], attributes);
  },
});

const spread = op('Mul', inverse, constant('scale'));

/**
 * x · m + (b − mean · m) with m = scale / √(var + ε)  →  LayerNorm(x, scale, b): the form TensorFlow writes.
 */
export const fuseLayerNormFactored = rewrite({
  name: 'fuse-layer-norm-factored',
  summary: 'x · m + (bias − mean · m) with m = scale / √(variance + ε) becomes LayerNorm',
  pattern: op('Add', op('Mul', x, spread), op('Sub', constant('bias'), op('Mul', mean, spread))),
  replace: ({ x, axes, varianceAxes, epsilon, scale, bias }, graph) => {
    if (x.dtype !== 'f32') return decline(`x is ${x.dtype}, not f32`);
    if (!isLastAxis(axes, x) || !isLastAxis(varianceAxes, x)) return decline('mean and variance are not over the last axis alone');
    if (!isRow(scale, x) || !isRow(bias, x)) return decline('scale and bias are not vectors over the last axis');
    const attributes = { epsilon: scalarValue(epsilon?.constant) ?? 0 };
    if (!(attributes.epsilon >= 0)) return decline(`epsilon is ${attributes.epsilon}`);
    return graph.op('LayerNorm', [x, asVector(scale, graph), asVector(bias, graph)], attributes);
  },
});

/** The LayerNormalization operator over the last axis  →  LayerNorm; a missing bias becomes zeros. */
export const lowerLayerNormalization = rewrite({
  name: 'lower-layer-normalization',
  summary: 'the LayerNormalization operator over the last axis becomes LayerNorm',
  pattern: oneOf(op('LayerNormalization', x, value('scale'), value('bias')), op('LayerNormalization', x, value('scale'))),
  replace: ({ x, scale, bias }, graph): Value | Declined => {
    const axis = Number(graph.root.attributes['axis'] ?? -1);
    if (x.dtype !== 'f32') return decline(`x is ${x.dtype}, not f32`);
    if (axis !== -1 && axis + 1 !== x.shape?.length) return decline(`it normalises from axis ${axis}, not the last`);
    const hidden = lastDim(x.shape);
    if (typeof hidden !== 'number') return decline('the size of the last axis is not known');
    if (!isRow(scale, x) || (bias && !isRow(bias, x))) return decline('scale and bias are not vectors over the last axis');
    const shift = bias ? asVector(bias, graph) : graph.constant('bias', filled('f32', [hidden], 0));
    return graph.op('LayerNorm', [x, asVector(scale, graph), shift], { epsilon: Number(graph.root.attributes['epsilon'] ?? 1e-5) });
  },
});

const norm = op('LayerNorm').as('norm');

/** LayerNorm(x, 1, 0) · scale  →  LayerNorm(x, scale, 0). */
export const absorbLayerNormScale = rewrite({
  name: 'absorb-layer-norm-scale',
  summary: 'a product after a plain LayerNorm becomes its scale',
  pattern: op('Mul', norm, constant('scale')),
  replace: ({ norm, scale }, graph) => {
    if (rounds(norm, graph)) return decline('the LayerNorm rounds its result');
    const [x, oldScale, bias] = operands(norm, graph);
    if (!isFilled(oldScale, 1) || !isFilled(bias, 0)) return decline('the LayerNorm has a scale or a bias already');
    if (!isRow(scale, x)) return decline('the factor is not a vector over the last axis');
    return graph.op('LayerNorm', [x, asVector(scale, graph), bias], graph.producer(norm)!.attributes);
  },
});

/** LayerNorm(x, scale, 0) + bias  →  LayerNorm(x, scale, bias). */
export const absorbLayerNormBias = rewrite({
  name: 'absorb-layer-norm-bias',
  summary: 'a sum after a LayerNorm without bias becomes its bias',
  pattern: op('Add', norm, constant('bias')),
  replace: ({ norm, bias }, graph) => {
    if (rounds(norm, graph)) return decline('the LayerNorm rounds its result');
    const [x, scale, oldBias] = operands(norm, graph);
    if (!isFilled(oldBias, 0)) return decline('the LayerNorm has a bias already');
    if (!isRow(bias, x)) return decline('the summand is not a vector over the last axis');
    return graph.op('LayerNorm', [x, scale, asVector(bias, graph)], graph.producer(norm)!.attributes);
  },
});

const anyNorm = op('LayerNorm').shared().as('norm');
/** The same, cast to bf16 and back. */
const roundedNorm = op('Cast', op('Cast', anyNorm).with({ to: 'bf16' }).shared())
  .with({ to: 'f32' })
  .shared()
  .as('rounded');

/**
 * LayerNorm(x, scale, bias) · m, powers of two  →  a LayerNorm of its own with scale · m and bias · m, which rounds what was rounded.
 *
 * The form in which int8 files bring far channels nearer to the others before they are coded; not a bit changes.
 */
export const multiplyLayerNorm = rewrite({
  name: 'multiply-layer-norm',
  summary: 'a LayerNorm times powers of two is a LayerNorm with another scale and bias',
  pattern: op('Mul', oneOf(anyNorm, roundedNorm), constant('factors')),
  replace: ({ norm, rounded, factors }, graph) => {
    const [x, scale, bias] = operands(norm, graph);
    if (!isRow(factors, x)) return decline('the factors are no vector over the last axis');
    const by = factors.constant!.data as Float32Array;
    if (!by.every((factor) => factor > 0 && Number.isInteger(Math.log2(factor)))) return decline('a factor is no power of two');
    if (!scale.constant || !bias.constant) return decline('scale and bias are not constant');
    const times = (value: Value): Value => {
      const tensor = value.constant!;
      const data = Float32Array.from(by, (factor, i) => (tensor.data as Float32Array)[i]! * factor);
      return graph.constant(`${value.name}_multiplied`, { dtype: 'f32', dims: [data.length], data });
    };
    const { attributes } = graph.producer(norm)!;
    return graph.op('LayerNorm', [x, times(scale), times(bias)], rounded ? { ...attributes, rounding: 'bf16' } : attributes);
  },
});

const rounds = (norm: Value, graph: Replacement): boolean => graph.producer(norm)!.attributes['rounding'] === 'bf16';

function operands(norm: Value, graph: Replacement): [Value, Value, Value] {
  const node = graph.producer(norm)!;
  return [graph.input(node, 0)!, graph.input(node, 1)!, graph.input(node, 2)!];
}

function isLastAxis(axes: Value, x: Value): boolean {
  const list = integersOf(axes.constant);
  return list?.length === 1 && (list[0] === -1 || list[0]! + 1 === x.shape?.length);
}

/** f32 over the last axis of x; a constant may have 1s before that, as long as x does not get more axes by them. */
function isRow({ dtype, shape, constant }: Value, x: Value): boolean {
  if (dtype !== 'f32' || !shape || !x.shape || shape.length === 0 || shape.length > (constant ? x.shape.length : 1)) return false;
  return shape.at(-1) === lastDim(x.shape) && shape.slice(0, -1).every((dim) => dim === 1);
}

function asVector(value: Value, graph: Replacement): Value {
  const { constant } = value;
  if (!constant || sameShape(value.shape, [constant.data.length])) return value;
  return graph.constant(value.name, { ...constant, dims: [constant.data.length] });
}

const isFilled = (value: Value, with_: number): boolean =>
  value.constant !== undefined && (value.constant.data as Float32Array).every((element) => element === with_);
