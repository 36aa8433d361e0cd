import { allocate, type Dim, elementCount, type Shape, type Tensor } from '@neural-engine/core';
import type { InferContext, OpSchema } from '../schema';
import { fromNumbers, greater, isBig, lesser, numbersOf, stridedOffsets, stridesOf } from './cells';
import { onnx, slots } from './define';
import { axesOf, input, integersOf, known } from './support';

/** The elements that fall together in one output element, as numbers. */
type Fold = (values: Float64Array) => number;

/** Axes as an input may be absent or empty: then all axes are reduced, or none with noop_with_empty_axes. */
function reducedAxes(context: InferContext, rank: number): number[] | undefined {
  const named = context.inputs[1] ? integersOf(context, 1) : [];
  if (!named) return undefined;
  if (named.length > 0) return axesOf(context, named, rank);
  return context.attributes['noop_with_empty_axes'] === 1 ? [] : Array.from({ length: rank }, (_, i) => i);
}

/** The shape after `axes` are reduced. */
export function reducedShape(shape: Shape, axes: readonly number[], keepdims: boolean): Shape {
  return shape.flatMap((dim, i): Dim[] => (axes.includes(i) ? (keepdims ? [1] : []) : [dim]));
}

/** For every output element the offset of its first input element, and the offsets of the others relative to that. */
export function reductionOffsets(dims: readonly number[], axes: readonly number[]): { starts: Int32Array; steps: Int32Array } {
  const strides = stridesOf(dims);
  const pick = (inside: boolean): Int32Array => {
    const own = dims.flatMap((dim, i) => (axes.includes(i) === inside ? [[dim, strides[i]!] as const] : []));
    return stridedOffsets(
      own.map(([dim]) => dim),
      own.map(([, stride]) => stride),
    );
  };
  return { starts: pick(false), steps: pick(true) };
}

const sum: Fold = (values) => {
  let total = 0;
  for (const value of values) total += value;
  return total;
};

interface ReduceOptions {
  readonly takes?: string;
  /** For dtypes whose elements are bigints; without it they are reduced as numbers. */
  readonly big?: (a: bigint, b: bigint) => bigint;
  /** Of no elements; undefined where that has no value. */
  readonly empty?: number;
}

function reduction(op: string, summary: string, fold: Fold, options: ReduceOptions = {}): OpSchema {
  const { takes = 'number', big } = options;
  return onnx(op, {
    summary,
    inputs: slots(`data: T=${takes}`, 'axes?: s64'),
    outputs: slots('reduced: T'),
    attributes: { keepdims: { type: 'int', default: 1, oneOf: [0, 1] }, noop_with_empty_axes: { type: 'int', default: 0, oneOf: [0, 1] } },
    valueInputs: [1],
    infer: (context) => {
      const { dtype, shape } = input(context, 0);
      const axes = shape && reducedAxes(context, shape.length);
      const keep = context.attributes['keepdims'] === 1;
      if (!shape || !axes) return [known(dtype, shape && keep ? shape.map(() => null) : undefined)];
      return [known(dtype, reducedShape(shape, axes, keep))];
    },
    evaluate: ([data, given], attributes, [out]) => {
      const rank = data!.dims.length;
      const named = given ? Array.from(given.data as ArrayLike<number | bigint>, (axis) => (Number(axis) + rank) % rank) : [];
      const all = named.length === 0 && attributes['noop_with_empty_axes'] !== 1;
      const axes = all ? data!.dims.map((_, i) => i) : named;
      return [
        isBig(data!.dtype) && big ? reduceBig(data!, axes, out!.dims, big, options.empty) : reduceNumbers(data!, axes, out!.dims, fold),
      ];
    },
  });
}

function reduceNumbers(data: Tensor, axes: readonly number[], dims: readonly number[], fold: Fold): Tensor {
  const values = numbersOf(data);
  const { starts, steps } = reductionOffsets(data.dims, axes);
  const group = new Float64Array(steps.length);
  const out = new Float64Array(elementCount(dims));
  for (let i = 0; i < out.length; i++) {
    for (let k = 0; k < group.length; k++) group[k] = values[starts[i]! + steps[k]!]!;
    out[i] = fold(group);
  }
  return fromNumbers(data.dtype, dims, out);
}

function reduceBig(data: Tensor, axes: readonly number[], dims: readonly number[], f: (a: bigint, b: bigint) => bigint, empty = 0): Tensor {
  const values = data.data as BigInt64Array;
  const { starts, steps } = reductionOffsets(data.dims, axes);
  const out = allocate(data.dtype, elementCount(dims)) as BigInt64Array;
  for (let i = 0; i < out.length; i++) {
    let total = steps.length > 0 ? values[starts[i]! + steps[0]!]! : BigInt(empty);
    for (let k = 1; k < steps.length; k++) total = f(total, values[starts[i]! + steps[k]!]!);
    out[i] = total;
  }
  return { dtype: data.dtype, dims: [...dims], data: out };
}

const most = (values: Float64Array): number => values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
const least = (values: Float64Array): number => values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);

/** ln Σ e^x without overflow: the greatest element is taken out first. */
function logSumExp(values: Float64Array): number {
  const top = most(values);
  if (!Number.isFinite(top)) return top;
  return top + Math.log(values.reduce((total, x) => total + Math.exp(x - top), 0));
}

/** Reductions over axes. */
export const REDUCE_SCHEMAS: readonly OpSchema[] = [
  reduction('ReduceSum', 'Σ x.', sum, { big: (a, b) => a + b }),
  reduction('ReduceMean', 'The mean.', (values) => sum(values) / values.length),
  reduction('ReduceMax', 'The greatest element.', most, { takes: 'number|bool', big: greater }),
  reduction('ReduceMin', 'The least element.', least, { takes: 'number|bool', big: lesser }),
  reduction('ReduceProd', 'Π x.', (values) => values.reduce((a, b) => a * b, 1), { big: (a, b) => a * b, empty: 1 }),
  reduction('ReduceL1', 'Σ |x|.', (values) => values.reduce((a, b) => a + Math.abs(b), 0)),
  reduction('ReduceL2', '√ Σ x².', (values) => Math.sqrt(values.reduce((a, b) => a + b * b, 0))),
  reduction('ReduceLogSum', 'ln Σ x.', (values) => Math.log(sum(values))),
  reduction('ReduceLogSumExp', 'ln Σ e^x.', logSumExp),
  reduction('ReduceSumSquare', 'Σ x².', (values) => values.reduce((a, b) => a + b * b, 0)),
];
