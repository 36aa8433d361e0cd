import { allocate, type Dim, DTYPES, type DType, elementCount, formatShape, type Tensor } from '@neural-engine/core';
import type { OpSchema } from '../schema';
import { broadcastTo, copyCell, elementAt, isBig, withDims, writer } from './cells';
import { onnx, slots } from './define';
import { elementsOf, expectRank, input, integersOf, known, MAX_TRACKED_ELEMENTS } from './support';

const F32_ZERO: Tensor = { dtype: 'f32', dims: [1], data: new Float32Array(1) };

const constantOfShape = onnx('ConstantOfShape', {
  summary: 'A tensor of a given shape filled with one value.',
  inputs: slots('input: s64'),
  outputs: slots('output: any'),
  attributes: { value: { type: 'tensor', default: F32_ZERO } },
  valueInputs: [0],
  infer: (context) => {
    const value = context.attributes['value'] as Tensor;
    if (value.data.length !== 1) context.fail('E_MODEL', `value holds ${value.data.length} elements; one is needed`);
    expectRank(context, context.inputs[0], 1, 'input');
    const target = elementsOf(context.inputs[0]) ?? integersOf(context, 0);
    if (!target) {
      const rank = input(context, 0).shape?.[0];
      return [known(value.dtype, typeof rank === 'number' && rank <= 64 ? new Array<Dim>(rank).fill(null) : undefined)];
    }
    for (const dim of target)
      if (typeof dim === 'number' && dim < 0) context.fail('E_SHAPE', `shape ${formatShape(target)} has the negative dim ${dim}`);
    const length = target.length === 0 ? 1 : target.length === 1 ? target[0]! : null;
    const fill =
      typeof length === 'number' &&
      length <= MAX_TRACKED_ELEMENTS &&
      (value.dtype === 's64' || value.dtype === 's32' || value.dtype === 'bool');
    return [known(value.dtype, target, fill ? new Array<Dim>(length).fill(Number(value.data[0])) : undefined)];
  },
  evaluate: (_, attributes, [out]) => [broadcastTo(withDims(attributes['value'] as Tensor, []), out!.dims)],
});

/** How many elements lie in [start, limit) by steps of `delta`. */
const rangeLength = (start: number, limit: number, delta: number): number => Math.max(0, Math.ceil((limit - start) / delta));

const range = onnx('Range', {
  summary: 'Numbers from start up to, without, limit by steps of delta.',
  inputs: slots('start: T=number', 'limit: T', 'delta: T'),
  outputs: slots('output: T'),
  valueInputs: [0, 1, 2],
  infer: (context) => {
    const { dtype } = input(context, 0);
    for (const [i, value] of context.inputs.entries()) {
      if (value?.constant && value.constant.data.length !== 1)
        context.fail('E_SHAPE', `input ${i} holds ${value.constant.data.length} elements; one is needed`);
    }
    const numbers = context.inputs.map((value) => {
      if (value?.constant) return elementAt(value.constant, 0);
      const element = elementsOf(value);
      return element?.length === 1 ? element[0]! : null;
    });
    const [start, limit, delta] = numbers as [Dim, Dim, Dim];
    if (delta === 0) context.fail('E_MODEL', 'delta is 0');
    if (typeof start === 'number' && typeof limit === 'number' && typeof delta === 'number') {
      const length = rangeLength(start, limit, delta);
      if (!Number.isSafeInteger(length)) context.fail('E_SHAPE', `the range from ${start} to ${limit} by ${delta} has no length`);
      return [known(dtype, [length])];
    }
    return [known(dtype, [start === 0 && delta === 1 ? limit : null])];
  },
  evaluate: ([start, , delta], _, [out]) => {
    const data = allocate(out!.dtype, out!.dims[0]!);
    if (isBig(out!.dtype)) {
      const [first, step] = [start!.data[0] as bigint, delta!.data[0] as bigint];
      for (let i = 0; i < data.length; i++) data[i] = first + BigInt(i) * step;
    } else {
      const [first, step] = [elementAt(start!, 0), elementAt(delta!, 0)];
      const write = writer(out!.dtype, data);
      for (let i = 0; i < data.length; i++) write(i, first + i * step);
    }
    return [{ dtype: out!.dtype, dims: out!.dims, data }];
  },
});

const eyeLike = onnx('EyeLike', {
  summary: 'Ones on the k-th diagonal of a matrix of the shape of the input.',
  inputs: slots('input: number|bool'),
  outputs: slots('output: number|bool'),
  attributes: { dtype: { type: 'string', oneOf: DTYPES }, k: { type: 'int', default: 0 } },
  infer: (context) => {
    const { dtype, shape } = input(context, 0);
    expectRank(context, context.inputs[0], 2, 'input');
    return [known((context.attributes['dtype'] as DType | undefined) ?? dtype, shape)];
  },
  evaluate: (_, attributes, [out]) => {
    const [rows, columns] = out!.dims as [number, number];
    const data = allocate(out!.dtype, rows * columns);
    const write = isBig(out!.dtype) ? (i: number) => ((data as BigInt64Array)[i] = 1n) : (i: number) => writer(out!.dtype, data)(i, 1);
    const k = attributes['k'] as number;
    for (let row = Math.max(0, -k); row < rows && row + k < columns; row++) write(row * columns + row + k);
    return [{ dtype: out!.dtype, dims: out!.dims, data }];
  },
});

const trilu = onnx('Trilu', {
  summary: 'The upper or lower triangle of the last two axes, zero elsewhere.',
  inputs: slots('input: T=any', 'k?: s64'),
  outputs: slots('output: T'),
  attributes: { upper: { type: 'int', default: 1, oneOf: [0, 1] } },
  infer: (context) => {
    const { dtype, shape } = input(context, 0);
    if (shape && shape.length < 2) context.fail('E_SHAPE', `input is ${formatShape(shape)}; at least a matrix is needed`);
    return [known(dtype, shape)];
  },
  evaluate: ([x, shift], attributes) => {
    const { dtype, dims, data } = x!;
    const k = shift ? Number(shift.data[0]) : 0;
    const [rows, columns] = dims.slice(-2) as [number, number];
    const out = allocate(dtype, elementCount(dims));
    for (let i = 0; i < out.length; i++) {
      const column = i % columns;
      const row = Math.floor(i / columns) % rows;
      if (attributes['upper'] === 1 ? column - row >= k : column - row <= k) copyCell(data, i, out, i);
    }
    return [{ dtype, dims, data: out }];
  },
});

/** Tensors made from little: constants, ranges, triangles. */
export const FILL_SCHEMAS: readonly OpSchema[] = [constantOfShape, range, eyeLike, trilu];
