import type { Attributes } from '../graph';
import type { AttributeSpec, OpSchema } from '../schema';
import { broadcastTo, fromNumbers, greater, numbersOf } from './cells';
import { onnx, slots } from './define';
import { erf } from './erf';
import { broadcastAll, input } from './support';
import { parametricUnary, unary } from './unary';

const float = (value: number): AttributeSpec => ({ type: 'float', default: value });
const num = (attributes: Attributes, name: string): number => attributes[name] as number;

export const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const clamp01 = (x: number): number => Math.min(1, Math.max(0, x));

/** x · Φ(x), exactly by erf. */
export const geluErf = (x: number): number => 0.5 * x * (1 + erf(x * Math.SQRT1_2));
/** The tanh approximation of {@link geluErf}. */
export const geluTanh = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

const prelu = onnx('PRelu', {
  summary: 'Leaky ReLU with a slope tensor that broadcasts to the input.',
  inputs: slots('X: T=number', 'slope: T'),
  outputs: slots('Y: T'),
  infer: (context) => {
    const { dtype, shape } = input(context, 0);
    const out = broadcastAll(context, context.inputs);
    if (out && shape && out.length !== shape.length) context.fail('E_SHAPE', 'slope has a higher rank than the input');
    return [{ dtype, shape }];
  },
  evaluate: ([x, slope], _, [out]) => {
    const values = numbersOf(x!);
    const slopes = numbersOf(broadcastTo(slope!, out!.dims));
    return [
      fromNumbers(
        out!.dtype,
        out!.dims,
        Array.from(values, (value, i) => (value < 0 ? value * slopes[i]! : value)),
      ),
    ];
  },
});

/** Activation functions. */
export const ACTIVATION_SCHEMAS: readonly OpSchema[] = [
  unary('Relu', 'max(x, 0).', (x) => Math.max(x, 0), { takes: 'number', big: (x) => greater(x, 0n) }),
  unary('Sigmoid', '1 / (1 + e^−x).', sigmoid),
  unary('Softplus', 'ln(1 + e^x).', softplus),
  unary('Softsign', 'x / (1 + |x|).', (x) => x / (1 + Math.abs(x))),
  unary('HardSwish', 'x · clamp(x/6 + 1/2, 0, 1).', (x) => x * clamp01(x / 6 + 0.5)),
  unary('Mish', 'x · tanh(softplus x).', (x) => x * Math.tanh(softplus(x))),
  parametricUnary(
    'Gelu',
    'x · Φ(x), exactly or by the tanh approximation.',
    { approximate: { type: 'string', default: 'none', oneOf: ['none', 'tanh'] } },
    (a) => (a['approximate'] === 'tanh' ? geluTanh : geluErf),
  ),
  parametricUnary('LeakyRelu', 'x, or alpha · x below zero.', { alpha: float(0.01) }, (a) => (x) => (x < 0 ? num(a, 'alpha') * x : x)),
  parametricUnary('ThresholdedRelu', 'x above alpha, else 0.', { alpha: float(1) }, (a) => (x) => (x > num(a, 'alpha') ? x : 0)),
  parametricUnary(
    'Elu',
    'x, or alpha · (e^x − 1) below zero.',
    { alpha: float(1) },
    (a) => (x) => (x < 0 ? num(a, 'alpha') * Math.expm1(x) : x),
  ),
  parametricUnary(
    'Selu',
    'gamma · x, or gamma · alpha · (e^x − 1) up to zero.',
    { alpha: float(1.6732632423543772), gamma: float(1.0507009873554805) },
    (a) => (x) => num(a, 'gamma') * (x > 0 ? x : num(a, 'alpha') * Math.expm1(x)),
  ),
  parametricUnary(
    'Celu',
    'max(0, x) + min(0, alpha · (e^(x/alpha) − 1)).',
    { alpha: float(1) },
    (a) => (x) => Math.max(0, x) + Math.min(0, num(a, 'alpha') * Math.expm1(x / num(a, 'alpha'))),
  ),
  parametricUnary(
    'HardSigmoid',
    'clamp(alpha · x + beta, 0, 1).',
    { alpha: float(0.2), beta: float(0.5) },
    (a) => (x) => clamp01(num(a, 'alpha') * x + num(a, 'beta')),
  ),
  parametricUnary(
    'Shrink',
    'x + bias below −lambd, x − bias above lambd, else 0.',
    { bias: float(0), lambd: float(0.5) },
    (a) => (x) => (x < -num(a, 'lambd') ? x + num(a, 'bias') : x > num(a, 'lambd') ? x - num(a, 'bias') : 0),
    'number',
  ),
  prelu,
];
