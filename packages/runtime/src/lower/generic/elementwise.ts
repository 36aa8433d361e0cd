import { type DType, isFloat } from '@neural-engine/core';
import type { GenericBuilder } from './builder';
import type { Rule, Rules } from './rule';
import { broadcastDims } from './views';

/** A function of each element. Where it is one of floats, integers pass through f64. */
const unary = (name: string, parameters: Record<string, string | number> = {}, floatsOnly = true): Rule => ({
  lower(b) {
    const attrs = Object.fromEntries(
      Object.entries(parameters).map(([to, from]) => [to, typeof from === 'string' ? b.number(from) : from]),
    );
    const dtype = floatsOnly && !isFloat(b.y.dtype) ? 'f64' : b.y.dtype;
    b.castInto(b.y, dtype, (y) => b.unary(name, b.cast(b.x(0), dtype), y, attrs));
  },
});

const predicate = (name: string, parameters: Record<string, string> = {}): Rule => ({
  lower(b) {
    const attrs = Object.fromEntries(Object.entries(parameters).map(([to, from]) => [to, b.number(from)]));
    b.unary(name, b.x(0), b.y, attrs);
  },
});

const binary = (name: string | ((b: GenericBuilder) => string)): Rule => ({
  lower(b) {
    b.binary(typeof name === 'string' ? name : name(b), b.x(0), b.x(1), b.y);
  },
});

/** Folds any number of operands with a binary function, then finishes. */
const variadic = (name: string, finish?: (b: GenericBuilder, total: ReturnType<GenericBuilder['x']>) => void): Rule => ({
  lower(b) {
    let total = b.x(0);
    if (b.inputCount === 1) {
      b.view(total);
      return;
    }
    for (let i = 1; i < b.inputCount; i++) {
      const last = i === b.inputCount - 1 && !finish;
      const next = last ? b.y : b.temporary(b.y.dtype, broadcastDims(total.dims, b.x(i).dims));
      b.binary(name, total, b.x(i), next);
      total = next;
    }
    finish?.(b, total);
  },
});

/** The mean: the sum divided by how many there are. */
const mean = variadic('add', (b, total) => {
  const count = b.constant({ dtype: 'f32', dims: [], data: Float32Array.of(b.inputCount) });
  b.binary('div', total, b.cast(count, total.dtype), b.y);
});

/** The exponent takes the dtype of the base; an integer base with a float exponent is computed in f64. */
const pow: Rule = {
  lower(b) {
    const [base, exponent] = [b.x(0), b.x(1)];
    const dtype: DType = !isFloat(base.dtype) && isFloat(exponent.dtype) ? 'f64' : base.dtype;
    b.castInto(b.y, dtype, (y) => b.binary('pow', b.cast(base, dtype), b.cast(exponent, dtype), y));
  },
};

/** Bounds are scalars; without either the input stays as it is. */
const clip: Rule = {
  lower(b) {
    const [low, high] = [b.optional(1), b.optional(2)];
    if (low || high) b.step('clip', [b.x(0), low, high], [b.y]);
    else b.view(b.x(0));
  },
};

const where: Rule = {
  lower(b) {
    b.step('where', [b.x(0), b.x(1), b.x(2)], [b.y]);
  },
};

const cast: Rule = {
  lower(b) {
    if (b.x(0).dtype === b.y.dtype) b.view(b.x(0));
    else b.step('cast', [b.x(0)], [b.y]);
  },
};

/** Inference: the input as it is, and a mask of all true where it is asked for. */
const dropout: Rule = {
  lower(b) {
    b.view(b.x(0));
    const mask = b.maybeY(1);
    if (!mask) return;
    const yes = b.constant({ dtype: 'bool', dims: [], data: Uint8Array.of(1) });
    b.copy(yes, { dims: mask.dims, strides: mask.dims.map(() => 0), offset: 0 }, mask);
  },
};

const prelu: Rule = {
  lower(b) {
    b.binary('prelu', b.x(0), b.x(1), b.y);
  },
};

const identity: Rule = { lower: (b) => b.view(b.x(0)) };

/** Operators that treat each element on its own. */
export const ELEMENTWISE: Rules = {
  Abs: unary('abs', {}, false),
  Neg: unary('neg', {}, false),
  Sign: unary('sign', {}, false),
  Relu: unary('relu', {}, false),
  Acos: unary('acos'),
  Acosh: unary('acosh'),
  Asin: unary('asin'),
  Asinh: unary('asinh'),
  Atan: unary('atan'),
  Atanh: unary('atanh'),
  Ceil: unary('ceil'),
  Cos: unary('cos'),
  Cosh: unary('cosh'),
  Erf: unary('erf'),
  Exp: unary('exp'),
  Floor: unary('floor'),
  Log: unary('log'),
  Reciprocal: unary('reciprocal'),
  Round: unary('round'),
  Sin: unary('sin'),
  Sinh: unary('sinh'),
  Sqrt: unary('sqrt'),
  Tan: unary('tan'),
  Tanh: unary('tanh'),
  Sigmoid: unary('sigmoid'),
  Softplus: unary('softplus'),
  Softsign: unary('softsign'),
  Mish: unary('mish'),
  HardSwish: unary('hard_swish', { alpha: 1 / 6, beta: 0.5 }),
  LeakyRelu: unary('leaky_relu', { alpha: 'alpha' }),
  ThresholdedRelu: unary('thresholded_relu', { alpha: 'alpha' }),
  Elu: unary('elu', { alpha: 'alpha' }),
  Celu: unary('celu', { alpha: 'alpha' }),
  Selu: unary('selu', { alpha: 'alpha', beta: 'gamma' }),
  HardSigmoid: unary('hard_sigmoid', { alpha: 'alpha', beta: 'beta' }),
  Shrink: unary('shrink', { alpha: 'lambd', beta: 'bias' }),
  Gelu: { lower: (b) => b.unary(b.text('approximate') === 'tanh' ? 'gelu_tanh' : 'gelu_erf', b.x(0), b.y) },
  PRelu: prelu,
  IsNaN: predicate('is_nan'),
  IsInf: predicate('is_inf', { alpha: 'detect_positive', beta: 'detect_negative' }),
  Not: predicate('not'),
  BitwiseNot: predicate('bitwise_not'),
  Add: binary('add'),
  Sub: binary('sub'),
  Mul: binary('mul'),
  Div: binary('div'),
  Mod: binary((b) => (b.number('fmod') === 1 ? 'rem' : 'mod')),
  Pow: pow,
  Max: variadic('max'),
  Min: variadic('min'),
  Sum: variadic('add'),
  Mean: mean,
  And: binary('and'),
  Or: binary('or'),
  Xor: binary('xor'),
  BitwiseAnd: binary('bitwise_and'),
  BitwiseOr: binary('bitwise_or'),
  BitwiseXor: binary('bitwise_xor'),
  BitShift: binary((b) => (b.text('direction') === 'LEFT' ? 'shift_left' : 'shift_right')),
  Equal: binary('equal'),
  Greater: binary('greater'),
  GreaterOrEqual: binary('greater_or_equal'),
  Less: binary('less'),
  LessOrEqual: binary('less_or_equal'),
  Where: where,
  Clip: clip,
  Cast: cast,
  CastLike: cast,
  Dropout: dropout,
  Identity: identity,
};
