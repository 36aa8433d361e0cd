import { allocate, type Dim, elementCount, formatShape, type Tensor } from '@neural-engine/core';
import type { AttributeSpec, InferContext, OpSchema } from '../schema';
import { fromNumbers, isBig, numbersOf, take } from './cells';
import { onnx, slots } from './define';
import { around } from './movement';
import { reducedShape } from './reduce';
import { axisOf, elementsOf, input, integersOf, known, reject } from './support';

const FLAG: AttributeSpec = { type: 'int', default: 0, oneOf: [0, 1] };

/** Compares elements as they are, 64-bit integers exactly; NaN counts as the greatest. */
function compareElements(data: Tensor): (i: number, j: number) => number {
  if (isBig(data.dtype)) {
    const cells = data.data as BigInt64Array;
    return (i, j) => (cells[i]! < cells[j]! ? -1 : cells[i]! > cells[j]! ? 1 : 0);
  }
  const values = numbersOf(data);
  return (i, j) => {
    const [a, b] = [values[i]!, values[j]!];
    return a < b ? -1 : a > b ? 1 : Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  };
}

/** The start of every line along an axis, and the step from one element of a line to the next. */
function linesAlong(dims: readonly number[], axis: number): { starts: number[]; step: number; size: number } {
  const { outer, inner } = around(dims, axis);
  const size = dims[axis]!;
  const starts: number[] = [];
  for (let o = 0; o < outer; o++) for (let i = 0; i < inner; i++) starts.push(o * size * inner + i);
  return { starts, step: inner, size };
}

const positive = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

const argReduction = (op: string, summary: string, sign: 1 | -1): OpSchema =>
  onnx(op, {
    summary,
    inputs: slots('data: T=number'),
    outputs: slots('reduced: s64'),
    attributes: { axis: { type: 'int', default: 0 }, keepdims: { ...FLAG, default: 1 }, select_last_index: FLAG },
    infer: (context) => {
      const { shape } = input(context, 0);
      if (!shape) return [known('s64', undefined)];
      const axis = axisOf(context, context.attributes['axis'] as number, shape.length);
      if (shape[axis] === 0) context.fail('E_SHAPE', `axis ${axis} of ${formatShape(shape)} is empty`);
      return [known('s64', reducedShape(shape, [axis], context.attributes['keepdims'] === 1))];
    },
    evaluate: ([data], attributes, [out]) => {
      const { starts, step, size } = linesAlong(data!.dims, positive(attributes['axis'] as number, data!.dims.length));
      const compare = compareElements(data!);
      const last = attributes['select_last_index'] === 1;
      const picks = starts.map((start) => {
        let best = 0;
        for (let k = 1; k < size; k++) {
          const order = sign * compare(start + k * step, start + best * step);
          if (order > 0 || (last && order === 0)) best = k;
        }
        return BigInt(best);
      });
      return [{ dtype: 's64', dims: out!.dims, data: BigInt64Array.from(picks) }];
    },
  });

/** The k of TopK, or null while it is unknown. */
function countOf(context: InferContext): Dim {
  const k = elementsOf(context.inputs[1]) ?? integersOf(context, 1);
  if (!k) return null;
  if (k.length !== 1) context.fail('E_SHAPE', `k holds ${k.length} elements; one is needed`);
  if (typeof k[0] === 'number' && k[0] < 0) context.fail('E_SHAPE', `k is ${k[0]}`);
  return k[0]!;
}

const topK = onnx('TopK', {
  summary: 'The k greatest or least elements along an axis, with their indices.',
  inputs: slots('X: T=number', 'K: s64'),
  outputs: slots('Values: T', 'Indices: s64'),
  attributes: { axis: { type: 'int', default: -1 }, largest: { ...FLAG, default: 1 }, sorted: { ...FLAG, default: 1 } },
  valueInputs: [1],
  infer: (context) => {
    const { dtype, shape } = input(context, 0);
    const k = countOf(context);
    if (!shape) return [known(dtype, undefined), known('s64', undefined)];
    const axis = axisOf(context, context.attributes['axis'] as number, shape.length);
    const size = shape[axis]!;
    if (typeof k === 'number' && typeof size === 'number' && k > size)
      context.fail('E_SHAPE', `k is ${k}, axis ${axis} of ${formatShape(shape)} has ${size}`);
    const out = shape.map((dim, i) => (i === axis ? k : dim));
    return [known(dtype, out), known('s64', out)];
  },
  evaluate: ([data], attributes, [out]) => {
    const axis = positive(attributes['axis'] as number, data!.dims.length);
    const { starts, step, size } = linesAlong(data!.dims, axis);
    const k = out!.dims[axis]!;
    const compare = compareElements(data!);
    const sign = attributes['largest'] === 1 ? -1 : 1;
    const offsets = new Int32Array(elementCount(out!.dims));
    const indices = allocate('s64', offsets.length) as BigInt64Array;
    for (const [line, start] of starts.entries()) {
      // Equal elements keep their order: the lower index comes first.
      const order = Array.from({ length: size }, (_, i) => i).sort((i, j) => sign * compare(start + i * step, start + j * step) || i - j);
      const to = Math.floor(line / step) * k * step + (line % step);
      for (let i = 0; i < k; i++) {
        offsets[to + i * step] = start + order[i]! * step;
        indices[to + i * step] = BigInt(order[i]!);
      }
    }
    return [take(data!, out!.dims, offsets), { dtype: 's64', dims: out!.dims, data: indices }];
  },
});

const cumSum = onnx('CumSum', {
  summary: 'Running sums along an axis, forwards or in reverse, with or without the element itself.',
  inputs: slots('x: T=number', 'axis: index'),
  outputs: slots('y: T'),
  attributes: { exclusive: FLAG, reverse: FLAG },
  valueInputs: [1],
  infer: (context) => {
    const { dtype, shape } = input(context, 0);
    const axis = integersOf(context, 1);
    if (axis && axis.length !== 1) context.fail('E_SHAPE', `axis holds ${axis.length} elements; one is needed`);
    if (axis && shape) axisOf(context, axis[0]!, shape.length);
    return [known(dtype, shape)];
  },
  evaluate: ([data, at], attributes) => {
    const { dtype, dims } = data!;
    const axis = Number(at!.data[0]);
    if (axis < -dims.length || axis >= dims.length) reject('E_MODEL', `axis ${axis} is outside [${-dims.length}, ${dims.length - 1}]`);
    const { starts, step, size } = linesAlong(dims, positive(axis, dims.length));
    const exclusive = attributes['exclusive'] === 1;
    const position = (k: number): number => (attributes['reverse'] === 1 ? size - 1 - k : k) * step;
    if (isBig(dtype)) {
      const cells = data!.data as BigInt64Array;
      const sums = allocate(dtype, cells.length) as BigInt64Array;
      for (const start of starts) {
        let sum = 0n;
        for (let k = 0; k < size; k++) {
          const i = start + position(k);
          if (exclusive) sums[i] = sum;
          sum += cells[i]!;
          if (!exclusive) sums[i] = sum;
        }
      }
      return [{ dtype, dims, data: sums }];
    }
    const values = numbersOf(data!);
    const sums = new Float64Array(values.length);
    for (const start of starts) {
      let sum = 0;
      for (let k = 0; k < size; k++) {
        const i = start + position(k);
        if (exclusive) sums[i] = sum;
        sum += values[i]!;
        if (!exclusive) sums[i] = sum;
      }
    }
    return [fromNumbers(dtype, dims, sums)];
  },
});

/** Positions of extremes, and running sums. */
export const SELECT_SCHEMAS: readonly OpSchema[] = [
  argReduction('ArgMax', 'The index of the greatest element along an axis.', 1),
  argReduction('ArgMin', 'The index of the least element along an axis.', -1),
  topK,
  cumSum,
];
