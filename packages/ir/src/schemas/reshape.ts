import { type Dim, formatShape, type Shape, s64, type Tensor } from '@neural-engine/core';
import { broadcastShapes, dimProduct, divideDims } from '../dims';
import type { InferContext, KnownValue, OpSchema } from '../schema';
import { broadcastTo, withDims } from './cells';
import { onnx, slots } from './define';
import { axesOf, axisOf, elementsOf, expectRank, input, integersOf, known } from './support';

const sameElements = (inputs: readonly (Tensor | undefined)[], _: unknown, outputs: readonly { dims: readonly number[] }[]): Tensor[] => [
  withDims(inputs[0]!, outputs[0]!.dims),
];

/** A start or end of `Shape`, counted from the back when negative, clamped to [0, rank]. */
const clampToRank = (position: number, rank: number): number => Math.max(0, Math.min(rank, position < 0 ? position + rank : position));

const shapeOf = onnx('Shape', {
  summary: 'The dims of the input as an s64 vector.',
  inputs: slots('data: any'),
  outputs: slots('shape: s64'),
  attributes: { start: { type: 'int', default: 0 }, end: { type: 'int' } },
  infer: (context) => {
    const { shape } = input(context, 0);
    if (!shape) return [known('s64', [null])];
    const start = clampToRank(context.attributes['start'] as number, shape.length);
    const end = clampToRank((context.attributes['end'] as number | undefined) ?? shape.length, shape.length);
    const part = shape.slice(start, Math.max(start, end));
    return [known('s64', [part.length], part)];
  },
  evaluate: ([data], attributes) => {
    const rank = data!.dims.length;
    const start = clampToRank(attributes['start'] as number, rank);
    return [s64(data!.dims.slice(start, Math.max(start, clampToRank((attributes['end'] as number | undefined) ?? rank, rank))))];
  },
});

const size = onnx('Size', {
  summary: 'The number of elements, as an s64 scalar.',
  inputs: slots('data: any'),
  outputs: slots('size: s64'),
  infer: (context) => {
    const { shape } = input(context, 0);
    return [known('s64', [], shape && [dimProduct(shape)])];
  },
  evaluate: ([data]) => [{ dtype: 's64', dims: [], data: BigInt64Array.of(BigInt(data!.data.length)) }],
});

/** The target of Reshape with 0 and −1 resolved. */
function reshapeTarget(context: InferContext, shape: Shape | undefined, target: Shape, allowZero: boolean): Shape {
  const wildcards = target.filter((dim) => dim === -1).length;
  if (wildcards > 1) context.fail('E_SHAPE', `target ${formatShape(target)} has ${wildcards} dims of −1; at most one can be inferred`);
  if (allowZero && wildcards === 1 && target.includes(0))
    context.fail('E_SHAPE', `target ${formatShape(target)} has both 0 and −1 with allowzero`);
  const out = target.map((dim, i): Dim => {
    if (typeof dim === 'number' && dim < -1) context.fail('E_SHAPE', `target ${formatShape(target)} has the negative dim ${dim}`);
    if (dim !== 0 || allowZero) return dim;
    if (!shape) return null;
    return i < shape.length ? shape[i]! : context.fail('E_SHAPE', `target ${formatShape(target)} copies dim ${i} of ${formatShape(shape)}`);
  });
  const at = out.indexOf(-1);
  const total = shape ? dimProduct(shape) : null;
  const rest = dimProduct(out.filter((_, i) => i !== at));
  if (at < 0) {
    if (typeof total === 'number' && typeof rest === 'number' && total !== rest) {
      context.fail('E_SHAPE', `${formatShape(shape!)} holds ${total} elements, ${formatShape(out)} needs ${rest}`);
    }
    // With a single unknown dim left the element count decides it.
    if (out.filter((dim) => dim === null).length === 1 && total !== null) {
      const lone = out.indexOf(null);
      out[lone] = divideDims(total, dimProduct(out.filter((_, i) => i !== lone)));
    }
    return out;
  }
  if (rest === 0) {
    if (total !== 0 && total !== null) context.fail('E_SHAPE', `${formatShape(shape!)} does not fit ${formatShape(target)}`);
    context.fail('E_SHAPE', `the dim of −1 in ${formatShape(target)} is undetermined for an empty tensor`);
  }
  if (typeof total === 'number' && typeof rest === 'number' && total % rest !== 0) {
    context.fail('E_SHAPE', `${formatShape(shape!)} holds ${total} elements, not a multiple of the ${rest} of ${formatShape(target)}`);
  }
  out[at] = divideDims(total, rest);
  return out;
}

/** A value with new dims whose tracked elements are the same, as long as it stays a scalar or vector. */
function reshaped(value: KnownValue, shape: Shape | undefined): KnownValue[] {
  return [known(value.dtype, shape, shape && shape.length <= 1 ? elementsOf(value) : undefined)];
}

const reshape = onnx('Reshape', {
  summary: 'The same elements under other dims; 0 copies a dim, −1 infers one.',
  inputs: slots('data: T=any', 'shape: s64'),
  outputs: slots('reshaped: T'),
  attributes: { allowzero: { type: 'int', default: 0, oneOf: [0, 1] } },
  valueInputs: [1],
  infer: (context) => {
    const data = input(context, 0);
    expectRank(context, context.inputs[1], 1, 'shape');
    const target = elementsOf(context.inputs[1]) ?? integersOf(context, 1);
    if (target) return reshaped(data, reshapeTarget(context, data.shape, target, context.attributes['allowzero'] === 1));
    const rank = input(context, 1).shape?.[0];
    return [known(data.dtype, typeof rank === 'number' && rank <= 64 ? new Array<Dim>(rank).fill(null) : undefined)];
  },
  evaluate: sameElements,
});

const flatten = onnx('Flatten', {
  summary: 'A matrix: dims before the axis together, dims from it on together.',
  inputs: slots('input: T=any'),
  outputs: slots('output: T'),
  attributes: { axis: { type: 'int', default: 1 } },
  infer: (context) => {
    const { dtype, shape } = input(context, 0);
    if (!shape) return [known(dtype, [null, null])];
    const axis = context.attributes['axis'] as number;
    // Unlike elsewhere, the rank itself is a valid axis.
    const at = axis === shape.length ? axis : axisOf(context, axis, shape.length || 1);
    return [known(dtype, [dimProduct(shape.slice(0, at)), dimProduct(shape.slice(at))])];
  },
  evaluate: sameElements,
});

const squeeze = onnx('Squeeze', {
  summary: 'Dims of 1 removed: those named, or all.',
  inputs: slots('data: T=any', 'axes?: s64'),
  outputs: slots('squeezed: T'),
  valueInputs: [1],
  infer: (context) => {
    const data = input(context, 0);
    const { shape } = data;
    const named = integersOf(context, 1);
    if (!shape || (context.inputs[1] && !named)) return [known(data.dtype, undefined)];
    if (!named) {
      // A symbol could stand for 1, and then the rank would be another.
      return shape.every((dim) => typeof dim === 'number')
        ? reshaped(
            data,
            shape.filter((dim) => dim !== 1),
          )
        : [known(data.dtype, undefined)];
    }
    const axes = axesOf(context, named, shape.length);
    for (const axis of axes) {
      const dim = shape[axis]!;
      if (typeof dim === 'number' && dim !== 1)
        context.fail('E_SHAPE', `dim ${axis} of ${formatShape(shape)} is ${dim} and cannot be removed`);
    }
    return reshaped(
      data,
      shape.filter((_, i) => !axes.includes(i)),
    );
  },
  evaluate: sameElements,
});

const unsqueeze = onnx('Unsqueeze', {
  summary: 'Dims of 1 inserted at the axes of the result.',
  inputs: slots('data: T=any', 'axes: s64'),
  outputs: slots('expanded: T'),
  valueInputs: [1],
  infer: (context) => {
    const data = input(context, 0);
    const named = integersOf(context, 1);
    if (!data.shape || !named) return [known(data.dtype, undefined)];
    const rank = data.shape.length + named.length;
    const axes = new Set(axesOf(context, named, rank));
    let next = 0;
    return reshaped(
      data,
      Array.from({ length: rank }, (_, i): Dim => (axes.has(i) ? 1 : data.shape![next++]!)),
    );
  },
  evaluate: sameElements,
});

const expand = onnx('Expand', {
  summary: 'The input broadcast with a given shape.',
  inputs: slots('input: T=any', 'shape: s64'),
  outputs: slots('output: T'),
  valueInputs: [1],
  infer: (context) => {
    const data = input(context, 0);
    expectRank(context, context.inputs[1], 1, 'shape');
    const target = elementsOf(context.inputs[1]) ?? integersOf(context, 1);
    if (!target || !data.shape) {
      const rank = input(context, 1).shape?.[0];
      return [
        known(
          data.dtype,
          data.shape && typeof rank === 'number' && rank <= 64 ? new Array<Dim>(Math.max(rank, data.shape.length)).fill(null) : undefined,
        ),
      ];
    }
    for (const dim of target)
      if (typeof dim === 'number' && dim < 0) context.fail('E_SHAPE', `target ${formatShape(target)} has the negative dim ${dim}`);
    const shape =
      broadcastShapes(data.shape, target) ??
      context.fail('E_SHAPE', `${formatShape(data.shape)} does not expand to ${formatShape(target)}`);
    const elements = elementsOf(data);
    return [known(data.dtype, shape, elements && shape.length <= 1 && shape[0] === elements.length ? elements : undefined)];
  },
  evaluate: ([data], _, [out]) => [broadcastTo(data!, out!.dims)],
});

/** Shapes as data, and other dims for the same elements. */
export const RESHAPE_SCHEMAS: readonly OpSchema[] = [shapeOf, size, reshape, flatten, squeeze, unsqueeze, expand];
