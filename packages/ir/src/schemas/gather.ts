import { type Dim, elementCount, formatShape, type Tensor } from '@neural-engine/core';
import type { OpSchema } from '../schema';
import { stridesOf, take } from './cells';
import { onnx, slots } from './define';
import { around } from './movement';
import { axisOf, elementsOf, expectRank, input, known, reject } from './support';

/** An index from data, counted from the back when negative; out of range is rejected before anything is read. */
export function indexWithin(index: number | bigint, size: number): number {
  const number = Number(index);
  if (number < -size || number >= size || size === 0) reject('E_MODEL', `index ${index} is outside [${-size}, ${size - 1}]`);
  return number < 0 ? number + size : number;
}

const axisIn = (attributes: Readonly<Record<string, unknown>>, rank: number): number => ((attributes['axis'] as number) + rank) % rank;

const gather = onnx('Gather', {
  summary: 'Slices of the data along an axis, picked by index.',
  inputs: slots('data: T=any', 'indices: index'),
  outputs: slots('output: T'),
  attributes: { axis: { type: 'int', default: 0 } },
  infer: (context) => {
    const data = input(context, 0);
    const indices = input(context, 1);
    if (!data.shape || !indices.shape) return [known(data.dtype, undefined)];
    if (data.shape.length === 0) context.fail('E_SHAPE', 'data is a scalar');
    const axis = axisOf(context, context.attributes['axis'] as number, data.shape.length);
    const shape = [...data.shape.slice(0, axis), ...indices.shape, ...data.shape.slice(axis + 1)];
    const from = data.shape.length === 1 ? elementsOf(data) : undefined;
    const at = indices.shape.length <= 1 ? elementsOf(indices) : undefined;
    if (!from || !at?.every((index) => typeof index === 'number')) return [known(data.dtype, shape)];
    return [
      known(
        data.dtype,
        shape,
        (at as number[]).map((index) => {
          if (index < -from.length || index >= from.length)
            context.fail('E_MODEL', `index ${index} is outside [${-from.length}, ${from.length - 1}]`);
          return from[index < 0 ? index + from.length : index]!;
        }),
      ),
    ];
  },
  evaluate: ([data, indices], attributes, [out]) => {
    const axis = axisIn(attributes, data!.dims.length);
    const size = data!.dims[axis]!;
    const { outer, inner } = around(data!.dims, axis);
    const picks = Array.from(indices!.data as ArrayLike<number | bigint>, (index) => indexWithin(index, size));
    const offsets = new Int32Array(outer * picks.length * inner);
    let to = 0;
    for (let o = 0; o < outer; o++) for (const pick of picks) for (let i = 0; i < inner; i++) offsets[to++] = (o * size + pick) * inner + i;
    return [take(data!, out!.dims, offsets)];
  },
});

const gatherElements = onnx('GatherElements', {
  summary: 'One element per index: the index replaces the position along the axis.',
  inputs: slots('data: T=any', 'indices: index'),
  outputs: slots('output: T'),
  attributes: { axis: { type: 'int', default: 0 } },
  infer: (context) => {
    const data = input(context, 0);
    const { shape } = input(context, 1);
    if (data.shape) {
      expectRank(context, context.inputs[1], data.shape.length, 'indices');
      const axis = axisOf(context, context.attributes['axis'] as number, data.shape.length);
      for (const [i, dim] of (shape ?? []).entries()) {
        const limit = data.shape[i]!;
        if (i !== axis && typeof dim === 'number' && typeof limit === 'number' && dim > limit) {
          context.fail('E_SHAPE', `indices ${formatShape(shape!)} reach beyond ${formatShape(data.shape)}`);
        }
      }
    }
    return [known(data.dtype, shape)];
  },
  evaluate: ([data, indices], attributes, [out]) => {
    const axis = axisIn(attributes, data!.dims.length);
    return [take(data!, out!.dims, elementOffsets(data!, indices!, axis))];
  },
});

/** The offset in `data` that each element of `indices` names when it replaces the position along `axis`. */
export function elementOffsets(data: Tensor, indices: Tensor, axis: number): Int32Array {
  const strides = stridesOf(data.dims);
  const own = stridesOf(indices.dims);
  const offsets = new Int32Array(indices.data.length);
  for (let i = 0; i < offsets.length; i++) {
    let rest = i;
    let offset = indexWithin(indices.data[i]!, data.dims[axis]!) * strides[axis]!;
    for (let d = 0; d < own.length; d++) {
      const position = Math.floor(rest / own[d]!);
      rest -= position * own[d]!;
      if (d !== axis) offset += position * strides[d]!;
    }
    offsets[i] = offset;
  }
  return offsets;
}

const gatherNd = onnx('GatherND', {
  summary: 'Slices of the data picked by index tuples.',
  inputs: slots('data: T=any', 'indices: s64'),
  outputs: slots('output: T'),
  attributes: { batch_dims: { type: 'int', default: 0 } },
  infer: (context) => {
    const data = input(context, 0);
    const indices = input(context, 1);
    const batch = context.attributes['batch_dims'] as number;
    if (!data.shape || !indices.shape) return [known(data.dtype, undefined)];
    const rank = indices.shape.length;
    if (rank === 0 || data.shape.length === 0) context.fail('E_SHAPE', 'data and indices must not be scalars');
    if (batch < 0 || batch >= Math.min(rank, data.shape.length)) context.fail('E_MODEL', `batch_dims ${batch} is outside the ranks`);
    const width = indices.shape[rank - 1]!;
    if (typeof width !== 'number') return [known(data.dtype, undefined)];
    if (width < 1 || batch + width > data.shape.length)
      context.fail('E_SHAPE', `index tuples of ${width} do not fit ${formatShape(data.shape)}`);
    return [known(data.dtype, [...indices.shape.slice(0, -1), ...data.shape.slice(batch + width)])];
  },
  evaluate: ([data, indices], attributes, [out]) => {
    const batch = attributes['batch_dims'] as number;
    const width = indices!.dims.at(-1)!;
    const strides = stridesOf(data!.dims);
    const inner = elementCount(data!.dims.slice(batch + width));
    const tuples = elementCount(indices!.dims.slice(0, -1));
    const perBatch = tuples / Math.max(1, elementCount(data!.dims.slice(0, batch)));
    const batchSize = elementCount(data!.dims.slice(batch));
    const offsets = new Int32Array(tuples * inner);
    for (let t = 0; t < tuples; t++) {
      const base = Math.floor(t / perBatch) * batchSize + tupleOffset(indices!, t, data!.dims, strides, batch);
      for (let i = 0; i < inner; i++) offsets[t * inner + i] = base + i;
    }
    return [take(data!, out!.dims, offsets)];
  },
});

/** The offset that tuple number `t` of `indices` names within `dims`, from axis `first` on. */
export function tupleOffset(indices: Tensor, t: number, dims: readonly number[], strides: readonly number[], first = 0): number {
  const width = indices.dims.at(-1)!;
  let offset = 0;
  for (let k = 0; k < width; k++) offset += indexWithin(indices.data[t * width + k]!, dims[first + k]!) * strides[first + k]!;
  return offset;
}

const oneHot = onnx('OneHot', {
  summary: 'A new axis with one value at the index and another elsewhere.',
  inputs: slots('indices: number', 'depth: number', 'values: T=any'),
  outputs: slots('output: T'),
  attributes: { axis: { type: 'int', default: -1 } },
  valueInputs: [1],
  infer: (context) => {
    const { shape } = input(context, 0);
    const { dtype } = input(context, 2);
    if (!shape) return [known(dtype, undefined)];
    const axis = axisOf(context, context.attributes['axis'] as number, shape.length + 1);
    const constant = context.inputs[1]?.constant;
    const depth: Dim = constant?.data.length === 1 ? Number(constant.data[0]) : (elementsOf(context.inputs[1])?.[0] ?? null);
    if (typeof depth === 'number' && !(depth >= 0)) context.fail('E_SHAPE', `depth is ${depth}`);
    return [known(dtype, [...shape.slice(0, axis), typeof depth === 'number' ? Math.trunc(depth) : depth, ...shape.slice(axis)])];
  },
  evaluate: ([indices, , values], attributes, [out]) => {
    if (values!.data.length !== 2) reject('E_SHAPE', `values holds ${values!.data.length} elements; off and on are needed`);
    const axis = axisIn(attributes, out!.dims.length);
    const depth = out!.dims[axis]!;
    const { inner } = around(out!.dims, axis);
    const picks = new Uint8Array(elementCount(out!.dims));
    for (let i = 0; i < indices!.data.length; i++) {
      const index = Math.trunc(Number(indices!.data[i]));
      // An index outside [−depth, depth) marks nothing.
      if (index < -depth || index >= depth) continue;
      picks[(Math.floor(i / inner) * depth + (index < 0 ? index + depth : index)) * inner + (i % inner)] = 1;
    }
    return [take(values!, out!.dims, picks)];
  },
});

const reverseSequence = onnx('ReverseSequence', {
  summary: 'The first elements of each sequence reversed, as many as its length says.',
  inputs: slots('input: T=any', 'sequence_lens: s64'),
  outputs: slots('Y: T'),
  attributes: { batch_axis: { type: 'int', default: 1, oneOf: [0, 1] }, time_axis: { type: 'int', default: 0, oneOf: [0, 1] } },
  infer: (context) => {
    const { dtype, shape } = input(context, 0);
    if (context.attributes['batch_axis'] === context.attributes['time_axis'])
      context.fail('E_MODEL', 'batch_axis and time_axis are the same');
    if (shape && shape.length < 2) context.fail('E_SHAPE', `input is ${formatShape(shape)}; at least a matrix is needed`);
    return [known(dtype, shape)];
  },
  evaluate: ([data, lengths], attributes) => {
    const [first, second] = data!.dims as [number, number];
    const timeFirst = attributes['time_axis'] === 0;
    const [time, batch] = timeFirst ? [first, second] : [second, first];
    if (lengths!.data.length !== batch) reject('E_SHAPE', `${lengths!.data.length} lengths for ${batch} sequences`);
    const inner = elementCount(data!.dims.slice(2));
    const offsets = new Int32Array(data!.data.length);
    for (let b = 0; b < batch; b++) {
      const length = Number(lengths!.data[b]);
      if (length < 0 || length > time) reject('E_MODEL', `sequence length ${length} is outside [0, ${time}]`);
      for (let t = 0; t < time; t++) {
        const from = t < length ? length - 1 - t : t;
        const row = (position: number): number => (timeFirst ? position * batch + b : b * time + position) * inner;
        for (let i = 0; i < inner; i++) offsets[row(t) + i] = row(from) + i;
      }
    }
    return [take(data!, data!.dims, offsets)];
  },
});

/** Picking by index. */
export const GATHER_SCHEMAS: readonly OpSchema[] = [gather, gatherElements, gatherNd, oneHot, reverseSequence];
