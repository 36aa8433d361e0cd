import { type AnyPattern, decline, oneOf, op, rewrite, scalar, value } from '../rewrite';

const x = value('x');

const half = <P extends AnyPattern>(inner: P) => oneOf(op('Mul', inner, scalar(0.5)), op('Div', inner, scalar(2)));

/** x · factor / 2, however the product is bracketed. */
const halfProduct = <P extends AnyPattern>(factor: P) =>
  oneOf(half(op('Mul', x, factor)), op('Mul', half(x), factor), op('Mul', x, half(factor)));

const erf = op('Erf', oneOf(op('Div', x, scalar(Math.SQRT2)), op('Mul', x, scalar(Math.SQRT1_2))));
const erfForm = oneOf(
  halfProduct(op('Add', erf, scalar(1))),
  op('Mul', x, op('Add', half(erf), scalar(0.5))),
  half(op('Add', x, op('Mul', x, erf))),
);

const square = oneOf(op('Mul', x, x), op('Pow', x, scalar(2)));
const cube = oneOf(op('Pow', x, scalar(3)), op('Mul', x, square));
const CUBIC = 0.044715;
const SLOPE = Math.sqrt(2 / Math.PI);
const polynomial = op('Add', x, oneOf(op('Mul', cube, scalar(CUBIC)), op('Mul', square, op('Mul', x, scalar(CUBIC)))));
const factored = op('Add', oneOf(op('Mul', square, scalar(CUBIC)), op('Mul', op('Mul', x, scalar(CUBIC)), x)), scalar(1));
const tanh = op(
  'Tanh',
  oneOf(
    op('Mul', polynomial, scalar(SLOPE)),
    op('Mul', op('Mul', x, scalar(SLOPE)), factored),
    op('Mul', x, op('Mul', factored, scalar(SLOPE))),
    op('Mul', op('Mul', x, factored), scalar(SLOPE)),
  ),
);
const tanhForm = oneOf(halfProduct(op('Add', tanh, scalar(1))), op('Mul', x, op('Add', half(tanh), scalar(0.5))));

/**
 * x · (1 + erf(x / √2)) / 2  →  Gelu(x), however the product is bracketed.
 *
 * Keeps shape and dtype. Source: Hendrycks & Gimpel 2016, "Gaussian Error Linear Units".
 */
export const fuseGelu = rewrite({
  name: 'fuse-gelu',
  summary: 'x · (1 + erf(x / √2)) / 2 becomes Gelu',
  pattern: erfForm,
  replace: ({ x }, graph) => (x.dtype === 'f32' ? graph.op('Gelu', [x], { approximate: 'none' }) : decline(`x is ${x.dtype}, not f32`)),
});

/**
 * x · (1 + tanh(√(2/π) · (x + 0.044715 x³))) / 2  →  Gelu(x, tanh), however it is bracketed.
 *
 * Keeps shape and dtype; the tanh form stays the tanh form. Source: the same paper, section 2.
 */
export const fuseGeluTanh = rewrite({
  name: 'fuse-gelu-tanh',
  summary: 'x · (1 + tanh(√(2/π) · (x + 0.044715 x³))) / 2 becomes Gelu of the tanh form',
  pattern: tanhForm,
  replace: ({ x }, graph) => (x.dtype === 'f32' ? graph.op('Gelu', [x], { approximate: 'tanh' }) : decline(`x is ${x.dtype}, not f32`)),
});
