import { type DType, elementCount, formatShape, type Tensor } from '@neural-engine/core';
import type { OpSchema } from '../schema';
import { copyCell, elementAt, isBig, stridesOf, writer } from './cells';
import { onnx, slots } from './define';
import { elementOffsets, tupleOffset } from './gather';
import { axisOf, expectRank, input, known } from './support';

const REDUCTION = { type: 'string', default: 'none', oneOf: ['none', 'add', 'mul', 'min', 'max'] } as const;

/** Copies `data` and writes the updates at the offsets, combined with what is there as `reduction` says, in order. */
function scatterInto(data: Tensor, updates: Tensor, offsets: ArrayLike<number>, reduction: string): Tensor {
  const out: Tensor = { dtype: data.dtype, dims: data.dims, data: data.data.slice() };
  const write = writer(data.dtype, out.data);
  for (let i = 0; i < offsets.length; i++) {
    const at = offsets[i]!;
    if (reduction === 'none') copyCell(updates.data, i, out.data, at);
    else if (isBig(data.dtype)) {
      const cells = out.data as BigInt64Array;
      cells[at] = combineBig(reduction, cells[at]!, updates.data[i] as bigint);
    } else write(at, combine(reduction, data.dtype, elementAt(out, at), elementAt(updates, i)));
  }
  return out;
}

function combine(reduction: string, dtype: DType, a: number, b: number): number {
  switch (reduction) {
    case 'add':
      return a + b;
    case 'mul':
      return dtype === 's32' || dtype === 'u32' ? Math.imul(a, b) : a * b;
    case 'min':
      return Math.min(a, b);
    default:
      return Math.max(a, b);
  }
}

function combineBig(reduction: string, a: bigint, b: bigint): bigint {
  if (reduction === 'add') return a + b;
  if (reduction === 'mul') return a * b;
  return (reduction === 'min') === a < b ? a : b;
}

const scatterElements = (op: string, summary: string, attributes: OpSchema['attributes']): OpSchema =>
  onnx(op, {
    summary,
    inputs: slots('data: T=any', 'indices: index', 'updates: T'),
    outputs: slots('output: T'),
    attributes: { axis: { type: 'int', default: 0 }, ...attributes },
    infer: (context) => {
      const { dtype, shape } = input(context, 0);
      const [, indices, updates] = context.inputs;
      if (shape) {
        expectRank(context, indices, shape.length, 'indices');
        const axis = axisOf(context, context.attributes['axis'] as number, shape.length);
        if (indices?.shape?.some((dim, i) => i !== axis && typeof dim === 'number' && typeof shape[i] === 'number' && dim > shape[i])) {
          context.fail('E_SHAPE', `indices ${formatShape(indices.shape)} reach beyond ${formatShape(shape)}`);
        }
      }
      expectSameShape(context.fail.bind(context), indices?.shape, updates?.shape);
      return [known(dtype, shape)];
    },
    evaluate: ([data, indices, updates], given) => {
      const rank = data!.dims.length;
      const axis = ((given['axis'] as number) + rank) % rank;
      return [scatterInto(data!, updates!, elementOffsets(data!, indices!, axis), (given['reduction'] as string | undefined) ?? 'none')];
    },
  });

type Fail = Parameters<OpSchema['infer']>[0]['fail'];

function expectSameShape(fail: Fail, want: readonly unknown[] | undefined, got: readonly unknown[] | undefined): void {
  if (!want || !got) return;
  const differ =
    want.length !== got.length || want.some((dim, i) => typeof dim === 'number' && typeof got[i] === 'number' && dim !== got[i]);
  if (differ) fail('E_SHAPE', `updates are [${got.join(', ')}]; [${want.join(', ')}] is needed`);
}

const scatterNd = onnx('ScatterND', {
  summary: 'The data with slices replaced at index tuples.',
  inputs: slots('data: T=any', 'indices: s64', 'updates: T'),
  outputs: slots('output: T'),
  attributes: { reduction: REDUCTION },
  infer: (context) => {
    const { dtype, shape } = input(context, 0);
    const [, indices, updates] = context.inputs;
    if (shape && indices?.shape) {
      if (shape.length === 0 || indices.shape.length === 0) context.fail('E_SHAPE', 'data and indices must not be scalars');
      const width = indices.shape.at(-1)!;
      if (typeof width === 'number') {
        if (width > shape.length) context.fail('E_SHAPE', `index tuples of ${width} do not fit ${formatShape(shape)}`);
        expectSameShape(context.fail.bind(context), [...indices.shape.slice(0, -1), ...shape.slice(width)], updates?.shape);
      }
    }
    return [known(dtype, shape)];
  },
  evaluate: ([data, indices, updates], attributes) => {
    const width = indices!.dims.at(-1)!;
    const strides = stridesOf(data!.dims);
    const inner = elementCount(data!.dims.slice(width));
    const tuples = elementCount(indices!.dims.slice(0, -1));
    const offsets = new Int32Array(tuples * inner);
    for (let t = 0; t < tuples; t++) {
      const base = tupleOffset(indices!, t, data!.dims, strides);
      for (let i = 0; i < inner; i++) offsets[t * inner + i] = base + i;
    }
    return [scatterInto(data!, updates!, offsets, attributes['reduction'] as string)];
  },
});

/** Writing by index. */
export const SCATTER_SCHEMAS: readonly OpSchema[] = [
  scatterElements('ScatterElements', 'The data with single elements replaced or combined, one per index.', { reduction: REDUCTION }),
  scatterElements('Scatter', 'ScatterElements by its old name.', {}),
  scatterNd,
];
