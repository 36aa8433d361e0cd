import { type DType, isFloat } from '@neural-engine/core';
import type { ConcreteValue } from '../../plan/concrete';
import type { GenericBuilder } from './builder';
import { lowerEinsum } from './einsum';
import { only, type Rule, type Rules } from './rule';
import { broadcastDims, product } from './views';

/** Element types that products are summed in. */
export const factors = only('f32', 'f64', 'f16', 'bf16', 's32', 'u32', 's64', 'u64');

/** How two operands of a numpy-style product are stacks of matrices. */
function stacks(a: readonly number[], b: readonly number[], mayMerge: boolean): { a: number[]; b: number[] } {
  const left = a.length === 1 ? [1, ...a] : [...a];
  const right = b.length === 1 ? [...b, 1] : [...b];
  // One matrix on the right serves all rows on the left: a single, taller product.
  if (mayMerge && right.length === 2) return { a: [product(left.slice(0, -1)), left.at(-1)!], b: right };
  return { a: left, b: right };
}

const matmul: Rule = {
  lower(b) {
    b.step('matmul', [b.x(0), b.x(1)], [b.y], stacks(b.x(0).dims, b.x(1).dims, true));
  },
  obstacle: factors,
};

const gemm: Rule = {
  lower(b) {
    const attrs = {
      a: [...b.x(0).dims],
      b: [...b.x(1).dims],
      transpose_a: b.number('transA') === 1,
      transpose_b: b.number('transB') === 1,
      alpha: b.number('alpha'),
      beta: b.number('beta'),
    };
    b.step('matmul', [b.x(0), b.x(1), b.optional(2)], [b.y], attrs);
  },
  obstacle: factors,
};

/** The s32 product of 8-bit operands less their zero points. */
function integerProduct(
  b: GenericBuilder,
  [x, zeroX]: readonly [ConcreteValue, ConcreteValue | undefined],
  [w, zeroW]: readonly [ConcreteValue, ConcreteValue | undefined],
  y: ConcreteValue,
): void {
  const count = (zero: ConcreteValue | undefined): number => product(zero?.dims ?? []);
  const views = stacks(x.dims, w.dims, count(zeroX) === 1);
  if (count(zeroX) !== 1 && count(zeroX) !== views.a.at(-2)) b.fail('E_UNSUPPORTED', 'zero points of A that differ between matrices');
  if (count(zeroW) !== 1 && count(zeroW) !== views.b.at(-1)) b.fail('E_UNSUPPORTED', 'zero points of B that differ between matrices');
  b.step('matmul_integer', [x, w, zeroX, zeroW], [y], views);
}

const matmulInteger: Rule = {
  lower(b) {
    integerProduct(b, [b.x(0), b.optional(2)], [b.x(1), b.optional(3)], b.y);
  },
};

/** s32 sums, the real numbers they stand for, and their codes; scales are multiplied in f32. */
const qLinearMatMul: Rule = {
  lower(b) {
    const [scaleA, scaleB, scaleY] = [b.x(1), b.x(4), b.x(6)].map((scale) => b.cast(scale, 'f32')) as [
      ConcreteValue,
      ConcreteValue,
      ConcreteValue,
    ];
    if (product(scaleA.dims) !== 1) b.fail('E_UNSUPPORTED', 'a scale for each row of a');
    const perColumn = product(scaleB.dims) !== 1;
    const sums = b.temporary('s32', b.y.dims);
    integerProduct(b, [b.x(0), b.x(2)], [b.x(3), b.x(5)], sums);
    const columns = b.y.dims.at(-1);
    if (perColumn && product(scaleB.dims) !== columns) b.fail('E_UNSUPPORTED', 'scales of b that differ between matrices');
    const scale = b.temporary('f32', broadcastDims(scaleA.dims, scaleB.dims));
    b.binary('mul', scaleA, scaleB, scale);
    const real = b.temporary('f32', b.y.dims);
    b.step('dequantize', [sums, perColumn ? b.reshape(scale, [columns!]) : scale], [real], perColumn ? { axis: b.y.dims.length - 1 } : {});
    b.step('quantize', [real, scaleY, b.x(7)], [b.y]);
  },
};

const einsum: Rule = { lower: lowerEinsum, obstacle: (dtypes) => factors(dtypes) };

/** x·W + bias + residual, then the activation, for what no panel step takes. */
const innerProduct: Rule = {
  lower(b) {
    const [x, weight, bias, residual] = [b.x(0), b.x(1), b.optional(2), b.optional(3)];
    const rows = product(x.dims.slice(0, -1));
    const attrs = { a: [rows, x.dims.at(-1)!], b: [...weight.dims], transpose_b: b.attribute('transposed') === true };
    const activation = b.text('activation');
    const after = activation === 'none' ? b.y : b.temporary('f32', b.y.dims);
    const sums = residual ? b.temporary('f32', b.y.dims) : after;
    b.step('matmul', [x, b.cast(weight, 'f32'), bias], [sums], attrs);
    if (residual) b.binary('add', sums, residual, after);
    if (activation !== 'none') b.unary(activation, after, b.y);
  },
  obstacle: ([x]: readonly (DType | undefined)[]) => (x && !isFloat(x) ? '8-bit products need constant weights' : undefined),
};

/** Matrix products. */
export const PRODUCTS: Rules = {
  MatMul: matmul,
  Gemm: gemm,
  MatMulInteger: matmulInteger,
  QLinearMatMul: qLinearMatMul,
  Einsum: einsum,
  InnerProduct: innerProduct,
};
