import { type Dim, formatShape, type Shape } from '@neural-engine/core';
import { subtractDims } from '../dims';
import type { InferContext, OpSchema } from '../schema';
import { stridedOffsets, stridesOf, take } from './cells';
import { onnx, slots } from './define';
import { axesOf, elementsOf, input, integersOf, known } from './support';

interface Range {
  readonly start: number;
  readonly count: number;
}

/** The range that Slice takes of an axis of `dim` elements, clamped as ONNX says. */
function resolve(start: number, end: number, step: number, dim: number): Range {
  const from = start < 0 ? start + dim : start;
  const to = end < 0 ? end + dim : end;
  const first = step > 0 ? Math.max(0, Math.min(dim, from)) : Math.max(0, Math.min(dim - 1, from));
  const last = step > 0 ? Math.max(0, Math.min(dim, to)) : Math.max(-1, Math.min(dim - 1, to));
  return { start: first, count: Math.max(0, Math.ceil((last - first) / step)) };
}

/** A position this far off means "to the end" in every exporter. */
const FAR = 2 ** 31 - 1;

/**
 * The length of a slice when the axis or a bound is a symbol. Bounds are taken to lie within the axis, as in every model that means its
 * slices; planning with numbers clamps exactly.
 */
function symbolicLength(start: Dim, end: Dim, step: Dim, dim: Dim): Dim {
  if (step === -1 && start === -1 && typeof end === 'number' && end <= -FAR) return dim;
  if (step !== 1) return null;
  const from = typeof start === 'number' && start < 0 ? (start <= -FAR ? 0 : addNegative(dim, start)) : start;
  const to = typeof end === 'number' && end < 0 ? addNegative(dim, end) : typeof end === 'number' && end >= FAR ? dim : end;
  return subtractDims(to, from);
}

const addNegative = (dim: Dim, offset: number): Dim => subtractDims(dim, -offset);

interface Bounds {
  readonly axes: readonly number[];
  readonly starts: Shape;
  readonly ends: Shape;
  readonly steps: Shape;
}

function boundsOf(context: InferContext, rank: number): Bounds | undefined {
  const read = (index: number): Shape | undefined => elementsOf(context.inputs[index]) ?? integersOf(context, index);
  const starts = read(1);
  const ends = read(2);
  const named = context.inputs[3] ? integersOf(context, 3) : starts?.map((_, i) => i);
  const steps = context.inputs[4] ? read(4) : starts?.map(() => 1);
  if (!starts || !ends || !named || !steps) return undefined;
  if (ends.length !== starts.length || named.length !== starts.length || steps.length !== starts.length) {
    context.fail(
      'E_MODEL',
      `starts, ends, axes and steps have ${starts.length}, ${ends.length}, ${named.length} and ${steps.length} elements`,
    );
  }
  if (steps.includes(0)) context.fail('E_MODEL', 'a step is 0');
  return { axes: axesOf(context, named, rank), starts, ends, steps };
}

const slice = onnx('Slice', {
  summary: 'A range of each named axis, with a step.',
  inputs: slots('data: T=any', 'starts: I=index', 'ends: I', 'axes?: I', 'steps?: I'),
  outputs: slots('output: T'),
  valueInputs: [1, 2, 3, 4],
  infer: (context) => {
    const data = input(context, 0);
    const { dtype, shape } = data;
    if (!shape) return [known(dtype, undefined)];
    const bounds = boundsOf(context, shape.length);
    if (!bounds) return [known(dtype, unknownAxes(context, shape))];
    const out = [...shape];
    let elements = shape.length === 1 ? elementsOf(data) : undefined;
    for (const [i, axis] of bounds.axes.entries()) {
      const [start, end, step] = [bounds.starts[i]!, bounds.ends[i]!, bounds.steps[i]!];
      const dim = shape[axis]!;
      if (typeof start === 'number' && typeof end === 'number' && typeof step === 'number' && typeof dim === 'number') {
        const range = resolve(start, end, step, dim);
        out[axis] = range.count;
        elements = elements && Array.from({ length: range.count }, (_, k) => elements![range.start + k * step]!);
      } else {
        out[axis] = symbolicLength(start, end, step, dim);
        if (typeof out[axis] === 'number' && out[axis] < 0) out[axis] = null;
        elements = undefined;
      }
    }
    return [known(dtype, out, elements)];
  },
  evaluate: ([data, starts, ends, axes, steps], _, [out]) => {
    const rank = data!.dims.length;
    const strides = stridesOf(data!.dims);
    let offset = 0;
    for (let i = 0; i < starts!.data.length; i++) {
      const axis = ((axes ? Number(axes.data[i]) : i) + rank) % rank;
      const step = steps ? Number(steps.data[i]) : 1;
      offset += resolve(Number(starts!.data[i]), Number(ends!.data[i]), step, data!.dims[axis]!).start * strides[axis]!;
      strides[axis]! *= step;
    }
    return [take(data!, out!.dims, stridedOffsets(out!.dims, strides, offset))];
  },
});

/** While the bounds are unknown, only the axes that are certainly not cut keep their dims. */
function unknownAxes(context: InferContext, shape: Shape): Shape {
  const named = integersOf(context, 3);
  if (context.inputs[3] && !named) return shape.map(() => null);
  const count = context.inputs[1]?.shape?.[0];
  const axes = named
    ? axesOf(context, named, shape.length)
    : typeof count === 'number'
      ? shape.map((_, i) => i).slice(0, count)
      : shape.map((_, i) => i);
  if (axes.length > shape.length) context.fail('E_MODEL', `more bounds than the axes of ${formatShape(shape)}`);
  return shape.map((dim, i) => (axes.includes(i) ? null : dim));
}

/** Slicing. */
export const SLICE_SCHEMAS: readonly OpSchema[] = [slice];
