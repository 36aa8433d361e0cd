import { allocate, type Dim, type Dims, elementCount, formatShape, type Shape, type Tensor, type TypedArray } from '@neural-engine/core';
import { addDims, divideDims, multiplyDims } from '../dims';
import type { InferContext, KnownValue, OpSchema } from '../schema';
import { stridedOffsets, stridesOf, take } from './cells';
import { onnx, slots } from './define';
import { axisOf, elementsOf, input, integersOf, known, sameDim } from './support';

/** The permutation of `Transpose`: given and checked, or the reversal of all axes. */
function permutation(context: InferContext, rank: number): readonly number[] {
  const perm = context.attributes['perm'] as readonly number[] | undefined;
  if (!perm) return Array.from({ length: rank }, (_, i) => rank - 1 - i);
  const seen = new Set(perm);
  if (perm.length !== rank || seen.size !== rank || !perm.every((axis) => Number.isInteger(axis) && axis >= 0 && axis < rank)) {
    context.fail('E_MODEL', `perm [${perm.join(', ')}] is no permutation of ${rank} axes`);
  }
  return perm;
}

const transpose = onnx('Transpose', {
  summary: 'The axes in another order; reversed when none is given.',
  inputs: slots('data: T=any'),
  outputs: slots('transposed: T'),
  attributes: { perm: { type: 'ints' } },
  infer: (context) => {
    const data = input(context, 0);
    if (!data.shape) return [known(data.dtype, undefined)];
    const perm = permutation(context, data.shape.length);
    return [
      known(
        data.dtype,
        perm.map((axis) => data.shape![axis]!),
        data.shape.length <= 1 ? elementsOf(data) : undefined,
      ),
    ];
  },
  evaluate: ([data], attributes, [out]) => {
    const own = stridesOf(data!.dims);
    const perm = (attributes['perm'] as readonly number[] | undefined) ?? own.map((_, i) => own.length - 1 - i);
    return [
      take(
        data!,
        out!.dims,
        stridedOffsets(
          out!.dims,
          perm.map((axis) => own[axis]!),
        ),
      ),
    ];
  },
});

/** Dims before and after an axis as one number each. */
export function around(dims: Dims, axis: number): { outer: number; inner: number } {
  return { outer: elementCount(dims.slice(0, axis)), inner: elementCount(dims.slice(axis + 1)) };
}

const concat = onnx('Concat', {
  summary: 'Tensors one after another along an axis.',
  inputs: slots('inputs...: T=any'),
  outputs: slots('result: T'),
  attributes: { axis: { type: 'int', required: true } },
  infer: (context) => {
    const first = input(context, 0);
    const parts = context.inputs.map((part) => part?.shape);
    const ranked = parts.find((shape) => shape !== undefined);
    if (!ranked) return [known(first.dtype, undefined)];
    const rank = ranked.length;
    const axis = axisOf(context, context.attributes['axis'] as number, rank);
    let out: Shape | undefined;
    for (const [i, shape] of parts.entries()) {
      const part: Shape = shape ?? new Array<Dim>(rank).fill(null);
      if (part.length !== rank) context.fail('E_SHAPE', `input ${i} is ${formatShape(part)}; rank ${rank} is needed`);
      out = out
        ? out.map((dim, d) => (d === axis ? addDims(dim, part[d]!) : sameDim(context, dim, part[d]!, `dim ${d} of input ${i}`)))
        : part;
    }
    const elements = rank === 1 ? context.inputs.map(partElements) : [];
    return [known(first.dtype, out, rank === 1 && elements.every((part) => part) ? (elements as Shape[]).flat() : undefined)];
  },
  evaluate: (inputs, attributes, [out]) => {
    const axis = ((attributes['axis'] as number) + out!.dims.length) % out!.dims.length;
    const { outer } = around(out!.dims, axis);
    const data = allocate(out!.dtype, elementCount(out!.dims));
    const row = outer === 0 ? 0 : data.length / outer;
    let offset = 0;
    for (const part of inputs as readonly Tensor[]) {
      const width = outer === 0 ? 0 : part.data.length / outer;
      for (let o = 0; o < outer; o++) copyRange(part.data, o * width, data, o * row + offset, width);
      offset += width;
    }
    return [{ dtype: out!.dtype, dims: out!.dims, data }];
  },
});

/** The elements of one part of a vector; an unknown one of known length still lets the others be followed. */
function partElements(part: KnownValue | undefined): Shape | undefined {
  const length = part?.shape?.[0];
  return elementsOf(part) ?? (typeof length === 'number' && length <= 64 ? new Array<Dim>(length).fill(null) : undefined);
}

/** Copies `count` elements between arrays of the same dtype. */
export function copyRange(from: TypedArray, fromIndex: number, to: TypedArray, toIndex: number, count: number): void {
  (to as Float32Array).set(from.subarray(fromIndex, fromIndex + count) as Float32Array, toIndex);
}

/** The sizes of the parts of `Split` along its axis. */
function splitSizes(context: InferContext, dim: Dim): readonly Dim[] | undefined {
  const count = context.outputCount;
  if (context.inputs[1]) {
    const sizes = elementsOf(context.inputs[1]) ?? integersOf(context, 1);
    if (!sizes) return undefined;
    if (sizes.length !== count) context.fail('E_MODEL', `split has ${sizes.length} sizes for ${count} outputs`);
    let sum: Dim = 0;
    for (const size of sizes) {
      if (typeof size === 'number' && size < 0) context.fail('E_SHAPE', `split has the negative size ${size}`);
      sum = addDims(sum, size);
    }
    if (typeof sum === 'number' && typeof dim === 'number' && sum !== dim)
      context.fail('E_SHAPE', `split sizes add up to ${sum}, the axis has ${dim}`);
    return sizes;
  }
  const parts = (context.attributes['num_outputs'] as number | undefined) ?? count;
  if (parts !== count) context.fail('E_MODEL', `num_outputs is ${parts}, the node has ${count} outputs`);
  if (typeof dim !== 'number') {
    const part = divideDims(dim, count);
    return new Array<Dim>(count).fill(part);
  }
  // All parts but the last have the same size, rounded up.
  const chunk = Math.ceil(dim / count);
  return Array.from({ length: count }, (_, i) => Math.max(0, Math.min(chunk, dim - i * chunk)));
}

const split = onnx('Split', {
  summary: 'Parts along an axis, of given or of equal sizes.',
  inputs: slots('input: T=any', 'split?: s64'),
  outputs: slots('outputs...: T'),
  attributes: { axis: { type: 'int', default: 0 }, num_outputs: { type: 'int' } },
  valueInputs: [1],
  infer: (context) => {
    const data = input(context, 0);
    if (!data.shape) return Array.from({ length: context.outputCount }, () => known(data.dtype, undefined));
    const { shape } = data;
    const axis = axisOf(context, context.attributes['axis'] as number, shape.length);
    const sizes = splitSizes(context, shape[axis]!);
    const elements = shape.length === 1 ? elementsOf(data) : undefined;
    let start = 0;
    return Array.from({ length: context.outputCount }, (_, i) => {
      const size = sizes?.[i] ?? null;
      const part = elements && typeof size === 'number' ? elements.slice(start, (start += size)) : undefined;
      return known(
        data.dtype,
        shape.map((dim, d) => (d === axis ? size : dim)),
        part?.length === size ? part : undefined,
      );
    });
  },
  evaluate: ([data], attributes, outputs) => {
    const rank = data!.dims.length;
    const axis = ((attributes['axis'] as number) + rank) % rank;
    const strides = stridesOf(data!.dims);
    let start = 0;
    return outputs.map(({ dims }) => {
      const part = take(data!, dims, stridedOffsets(dims, strides, start));
      start += dims[axis]! * strides[axis]!;
      return part;
    });
  },
});

const tile = onnx('Tile', {
  summary: 'The input repeated along each axis.',
  inputs: slots('input: T=any', 'repeats: s64'),
  outputs: slots('output: T'),
  valueInputs: [1],
  infer: (context) => {
    const { dtype, shape } = input(context, 0);
    const repeats = elementsOf(context.inputs[1]) ?? integersOf(context, 1);
    if (!shape) return [known(dtype, undefined)];
    if (!repeats)
      return [
        known(
          dtype,
          shape.map(() => null),
        ),
      ];
    if (repeats.length !== shape.length) context.fail('E_SHAPE', `${repeats.length} repeats for ${formatShape(shape)}`);
    for (const count of repeats)
      if (typeof count === 'number' && count < 0) context.fail('E_SHAPE', `repeats has the negative count ${count}`);
    return [
      known(
        dtype,
        shape.map((dim, i) => multiplyDims(dim, repeats[i]!)),
      ),
    ];
  },
  evaluate: ([data], _, [out]) => {
    let offsets = Int32Array.of(0);
    const strides = stridesOf(data!.dims);
    for (const [axis, dim] of out!.dims.entries()) {
      const own = data!.dims[axis]!;
      const next = new Int32Array(offsets.length * dim);
      for (let o = 0, to = 0; o < offsets.length; o++) for (let i = 0; i < dim; i++) next[to++] = offsets[o]! + (i % own) * strides[axis]!;
      offsets = next;
    }
    return [take(data!, out!.dims, offsets)];
  },
});

/** Rearrangement and repetition of elements. */
export const MOVEMENT_SCHEMAS: readonly OpSchema[] = [transpose, concat, split, tile];
