import { allocate, type Dim, elementCount, formatShape, type Shape, type Tensor } from '@neural-engine/core';
import { addDims } from '../dims';
import type { InferContext, OpSchema } from '../schema';
import { copyCell, stridesOf } from './cells';
import { onnx, slots } from './define';
import { axesOf, elementsOf, input, integersOf, known } from './support';

/** Elements to add before and after every axis; negative ones are cut off. Undefined while they are unknown. */
function padsOf(context: InferContext, rank: number): { before: Shape; after: Shape } | undefined {
  const pads = elementsOf(context.inputs[1]) ?? integersOf(context, 1);
  const axes = context.inputs[3] ? integersOf(context, 3) : Array.from({ length: rank }, (_, i) => i);
  if (!pads || !axes) return undefined;
  if (pads.length !== 2 * axes.length) context.fail('E_MODEL', `${pads.length} pads for ${axes.length} axes; two for each are needed`);
  const before = new Array<Dim>(rank).fill(0);
  const after = new Array<Dim>(rank).fill(0);
  for (const [i, axis] of axesOf(context, axes, rank).entries()) {
    before[axis] = pads[i]!;
    after[axis] = pads[axes.length + i]!;
  }
  return { before, after };
}

/** The source position of a padded one along an axis of `size` elements, or −1 where the fill value stands. */
function sourcePosition(position: number, size: number, mode: string): number {
  if (position >= 0 && position < size) return position;
  switch (mode) {
    case 'edge':
      return position < 0 ? 0 : size - 1;
    case 'wrap':
      return ((position % size) + size) % size;
    case 'reflect': {
      if (size === 1) return 0;
      const period = 2 * (size - 1);
      const folded = ((position % period) + period) % period;
      return folded < size ? folded : period - folded;
    }
    default:
      return -1;
  }
}

const pad = onnx('Pad', {
  summary: 'Elements added around the input, or cut off: a constant, the edge, a reflection, or wrapped around.',
  inputs: slots('data: T=any', 'pads: s64', 'constant_value?: T', 'axes?: index'),
  outputs: slots('output: T'),
  attributes: { mode: { type: 'string', default: 'constant', oneOf: ['constant', 'reflect', 'edge', 'wrap'] } },
  valueInputs: [1, 3],
  infer: (context) => {
    const { dtype, shape } = input(context, 0);
    if (!shape) return [known(dtype, undefined)];
    const value = context.inputs[2]?.constant;
    if (value && value.data.length !== 1) context.fail('E_SHAPE', `constant_value holds ${value.data.length} elements; one is needed`);
    const pads = padsOf(context, shape.length);
    if (!pads)
      return [
        known(
          dtype,
          shape.map(() => null),
        ),
      ];
    const out = shape.map((dim, i) => addDims(addDims(dim, pads.before[i]!), pads.after[i]!));
    for (const [i, dim] of out.entries()) {
      if (typeof dim === 'number' && dim < 0) context.fail('E_SHAPE', `pads leave ${dim} elements of axis ${i} of ${formatShape(shape)}`);
      if (context.attributes['mode'] !== 'constant' && shape[i] === 0 && dim !== 0)
        context.fail('E_SHAPE', `axis ${i} is empty and has nothing to repeat`);
    }
    return [known(dtype, out)];
  },
  evaluate: ([data, pads, value, axes], attributes, [out]) => {
    const { dims } = data!;
    const { length } = pads!.data;
    const named = axes
      ? Array.from(axes.data as ArrayLike<number | bigint>, (axis) => (Number(axis) + dims.length) % dims.length)
      : dims.map((_, i) => i);
    const before = new Array<number>(dims.length).fill(0);
    for (const [i, axis] of named.entries()) if (i < length / 2) before[axis] = Number(pads!.data[i]);
    const positions = out!.dims.map((dim, axis) =>
      Int32Array.from({ length: dim }, (_, i) => sourcePosition(i - before[axis]!, dims[axis]!, attributes['mode'] as string)),
    );
    return [fill(data!, out!.dims, positions, value)];
  },
});

/** Elements of `data` at a table of positions for each axis; the fill value, else zero, where one is −1. */
function fill(data: Tensor, dims: readonly number[], positions: readonly Int32Array[], value: Tensor | undefined): Tensor {
  const out = allocate(data.dtype, elementCount(dims));
  const strides = stridesOf(data.dims);
  const index = new Array<number>(dims.length).fill(0);
  for (let i = 0; i < out.length; i++) {
    let offset = 0;
    for (let d = 0; d < index.length && offset >= 0; d++) {
      const position = positions[d]![index[d]!]!;
      offset = position < 0 ? -1 : offset + position * strides[d]!;
    }
    if (offset >= 0) copyCell(data.data, offset, out, i);
    else if (value) copyCell(value.data, 0, out, i);
    for (let d = index.length - 1; d >= 0 && ++index[d]! === dims[d]; d--) index[d] = 0;
  }
  return { dtype: data.dtype, dims: [...dims], data: out };
}

/** Padding. */
export const PAD_SCHEMAS: readonly OpSchema[] = [pad];
