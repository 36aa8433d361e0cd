import { type Dim, formatShape, type Shape, type Tensor } from '@neural-engine/core';
import { broadcastShapes, dimProduct, multiplyDims } from '../dims';
import type { InferContext, KnownValue, OpSchema } from '../schema';
import { broadcastOffsets, broadcastTo, fromNumbers, numbersOf, stridedOffsets, stridesOf } from './cells';
import { onnx, slots } from './define';
import { input, known, sameDim, scalarOf } from './support';

/** The shape of a numpy-style matrix product: vectors become matrices for the product, leading axes broadcast. */
export function matmulShape(context: InferContext, a: Shape | undefined, b: Shape | undefined): Shape | undefined {
  if (!a || !b) return undefined;
  if (a.length === 0 || b.length === 0) context.fail('E_SHAPE', 'an operand is a scalar');
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  const inner = [left.at(-1)!, right.at(-2)!] as const;
  if (typeof inner[0] === 'number' && typeof inner[1] === 'number' && inner[0] !== inner[1]) {
    context.fail('E_SHAPE', `inner dims of ${formatShape(a)} and ${formatShape(b)} differ`);
  }
  const lead = broadcastShapes(left.slice(0, -2), right.slice(0, -2));
  if (!lead) context.fail('E_SHAPE', `leading dims of ${formatShape(a)} and ${formatShape(b)} do not broadcast`);
  return [...lead, ...(a.length === 1 ? [] : [left.at(-2)!]), ...(b.length === 1 ? [] : [right.at(-1)!])];
}

/** Every element of the product sums over the last axis of the left operand. */
export function matmulMacs(left: Shape | undefined, out: Shape | undefined): Dim {
  return left && out ? multiplyDims(dimProduct(out), left.at(-1) ?? 1) : null;
}

/** The product of two stacks of matrices, summed in double precision. */
export function multiply(
  a: ArrayLike<number>,
  aDims: readonly number[],
  b: ArrayLike<number>,
  bDims: readonly number[],
  outDims: readonly number[],
): Float64Array {
  const left = aDims.length === 1 ? [1, ...aDims] : aDims;
  const right = bDims.length === 1 ? [...bDims, 1] : bDims;
  const [m, k] = left.slice(-2) as [number, number];
  const n = right.at(-1)!;
  const batch = [...outDims];
  if (bDims.length > 1) batch.pop();
  if (aDims.length > 1) batch.pop();
  const starts = (dims: readonly number[]): Int32Array => {
    const lead = dims.slice(0, -2);
    const all = stridesOf(dims);
    const strides = batch.map((_, i) => {
      const at = i - batch.length + lead.length;
      return at < 0 || lead[at] === 1 ? 0 : all[at]!;
    });
    return stridedOffsets(batch, strides);
  };
  const atA = starts(left);
  const atB = starts(right);
  const out = new Float64Array(atA.length * m * n);
  for (let s = 0, to = 0; s < atA.length; s++) {
    for (let i = 0; i < m; i++, to += n) {
      const row = atA[s]! + i * k;
      for (let p = 0; p < k; p++) {
        const x = a[row + p]!;
        const column = atB[s]! + p * n;
        for (let j = 0; j < n; j++) out[to + j]! += x * b[column + j]!;
      }
    }
  }
  return out;
}

const matmul = onnx('MatMul', {
  summary: 'The matrix product, over stacks of matrices.',
  inputs: slots('A: T=number', 'B: T'),
  outputs: slots('Y: T'),
  macs: (_, [a], [out]) => matmulMacs(a, out),
  infer: (context) => [known(input(context, 0).dtype, matmulShape(context, context.inputs[0]?.shape, context.inputs[1]?.shape))],
  evaluate: ([a, b], _, [out]) => [fromNumbers(out!.dtype, out!.dims, multiply(numbersOf(a!), a!.dims, numbersOf(b!), b!.dims, out!.dims))],
});

function inferGemm(context: InferContext): KnownValue[] {
  const [a, b, c] = context.inputs.map((value) => value?.shape);
  const { dtype } = input(context, 0);
  for (const [name, shape] of [
    ['A', a],
    ['B', b],
  ] as const) {
    if (shape && shape.length !== 2) context.fail('E_SHAPE', `${name} is ${formatShape(shape)}; a matrix is needed`);
  }
  const pick = (shape: Shape | undefined, transposed: unknown, row: 0 | 1): Dim => shape?.[transposed === 1 ? 1 - row : row] ?? null;
  const { transA, transB } = context.attributes;
  sameDim(context, pick(a, transA, 1), pick(b, transB, 0), 'inner dims');
  const out: Shape = [pick(a, transA, 0), pick(b, transB, 1)];
  if (
    c &&
    (c.length > 2 ||
      c.some(
        (dim, i) => typeof dim === 'number' && dim !== 1 && typeof out[i + 2 - c.length] === 'number' && dim !== out[i + 2 - c.length],
      ))
  ) {
    context.fail('E_SHAPE', `C is ${formatShape(c)}; it does not broadcast to ${formatShape(out)}`);
  }
  return [known(dtype, out)];
}

const gemm = onnx('Gemm', {
  summary: 'alpha · A · B + beta · C, either factor transposed.',
  inputs: slots('A: T=number', 'B: T', 'C?: T'),
  outputs: slots('Y: T'),
  attributes: {
    alpha: { type: 'float', default: 1 },
    beta: { type: 'float', default: 1 },
    transA: { type: 'int', default: 0 },
    transB: { type: 'int', default: 0 },
  },
  macs: ({ transA }, [a], [out]) => matmulMacs(transA === 1 ? a && [...a].reverse() : a, out),
  infer: inferGemm,
  evaluate: ([a, b, c], attributes, [out]) => {
    const matrix = (x: Tensor, transposed: unknown): readonly [ArrayLike<number>, number[]] => {
      const values = numbersOf(x);
      const [rows, columns] = x.dims as [number, number];
      if (transposed !== 1) return [values, [rows, columns]];
      const offsets = stridedOffsets([columns, rows], [1, columns]);
      return [Float64Array.from(offsets, (offset) => values[offset]!), [columns, rows]];
    };
    const [left, leftDims] = matrix(a!, attributes['transA']);
    const [right, rightDims] = matrix(b!, attributes['transB']);
    const product = multiply(left, leftDims, right, rightDims, out!.dims);
    const [alpha, beta] = [attributes['alpha'] as number, attributes['beta'] as number];
    const addend = c && numbersOf(c);
    const at = c && broadcastOffsets(c.dims, out!.dims);
    for (let i = 0; i < product.length; i++) product[i] = alpha * product[i]! + (addend ? beta * addend[at ? at[i]! : i]! : 0);
    return [fromNumbers(out!.dtype, out!.dims, product)];
  },
});

/** Integers minus a zero point that is a scalar, one per row (axis −2), one per column (axis −1), or already broadcastable. */
export function centred(x: Tensor, zero: Tensor | undefined, axis: -1 | -2): Float64Array {
  const values = Float64Array.from(numbersOf(x));
  if (!zero) return values;
  const lone = scalarZero(zero);
  if (lone !== undefined) return values.map((value) => value - lone);
  const dims = zero.dims.length === 1 && axis === -2 ? [zero.dims[0]!, 1] : zero.dims;
  const zeros = numbersOf(broadcastTo({ ...zero, dims }, x.dims));
  return values.map((value, i) => value - zeros[i]!);
}

const scalarZero = (zero: Tensor): number | undefined => (zero.data.length === 1 ? scalarOf(zero, 'zero point') : undefined);

const matmulInteger = onnx('MatMulInteger', {
  summary: 'The product of 8-bit matrices less their zero points, in s32.',
  inputs: slots('A: byte', 'B: byte', 'a_zero_point?: byte', 'b_zero_point?: byte'),
  outputs: slots('Y: s32'),
  macs: (_, [a], [out]) => matmulMacs(a, out),
  infer: (context) => {
    for (const [x, zero] of [
      [0, 2],
      [1, 3],
    ] as const) {
      const point = context.inputs[zero];
      if (point && point.dtype !== context.inputs[x]?.dtype)
        context.fail('E_QUANT', `zero point ${point.dtype} of a ${context.inputs[x]?.dtype} operand`);
    }
    return [known('s32', matmulShape(context, context.inputs[0]?.shape, context.inputs[1]?.shape))];
  },
  evaluate: ([a, b, aZero, bZero], _, [out]) => [
    fromNumbers('s32', out!.dims, multiply(centred(a!, aZero, -2), a!.dims, centred(b!, bZero, -1), b!.dims, out!.dims)),
  ],
});

/** Matrix products. */
export const MATMUL_SCHEMAS: readonly OpSchema[] = [matmul, gemm, matmulInteger];
