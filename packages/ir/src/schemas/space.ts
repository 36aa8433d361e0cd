import { formatShape, type Shape, type Tensor } from '@neural-engine/core';
import { divideDims, multiplyDims } from '../dims';
import type { InferContext, OpSchema } from '../schema';
import { stridedOffsets, stridesOf, take, withDims } from './cells';
import { onnx, slots } from './define';
import { expectRank, input, known } from './support';

/** An image batch [N, C, H, W] and its checked block size. */
function imageOf(context: InferContext): { shape: Shape | undefined; block: number } {
  const block = context.attributes['blocksize'] as number;
  if (block < 1) context.fail('E_MODEL', `blocksize is ${block}`);
  expectRank(context, context.inputs[0], 4, 'input');
  return { shape: input(context, 0).shape, block };
}

/** The axes of `x`, split to `dims`, in another order, then merged to `out`. */
function permuted(x: Tensor, dims: readonly number[], order: readonly number[], out: readonly number[]): Tensor {
  const strides = stridesOf(dims);
  const moved = order.map((axis) => dims[axis]!);
  const offsets = stridedOffsets(
    moved,
    order.map((axis) => strides[axis]!),
  );
  return withDims(take(x, moved, offsets), out);
}

const depthToSpace = onnx('DepthToSpace', {
  summary: 'Channels rearranged into blocks of height and width.',
  inputs: slots('input: T=any'),
  outputs: slots('output: T'),
  attributes: { blocksize: { type: 'int', required: true }, mode: { type: 'string', default: 'DCR', oneOf: ['DCR', 'CRD'] } },
  infer: (context) => {
    const { dtype } = input(context, 0);
    const { shape, block } = imageOf(context);
    if (!shape) return [known(dtype, [null, null, null, null])];
    const [n, c, h, w] = shape as [Shape[0], Shape[0], Shape[0], Shape[0]];
    if (typeof c === 'number' && c % block ** 2 !== 0) context.fail('E_SHAPE', `${c} channels are no multiple of ${block}²`);
    return [known(dtype, [n!, divideDims(c!, block ** 2), multiplyDims(h!, block), multiplyDims(w!, block)])];
  },
  evaluate: ([x], attributes, [out]) => {
    const b = attributes['blocksize'] as number;
    const [n, c, h, w] = x!.dims as [number, number, number, number];
    return attributes['mode'] === 'DCR'
      ? [permuted(x!, [n, b, b, c / b ** 2, h, w], [0, 3, 4, 1, 5, 2], out!.dims)]
      : [permuted(x!, [n, c / b ** 2, b, b, h, w], [0, 1, 4, 2, 5, 3], out!.dims)];
  },
});

const spaceToDepth = onnx('SpaceToDepth', {
  summary: 'Blocks of height and width rearranged into channels.',
  inputs: slots('input: T=any'),
  outputs: slots('output: T'),
  attributes: { blocksize: { type: 'int', required: true } },
  infer: (context) => {
    const { dtype } = input(context, 0);
    const { shape, block } = imageOf(context);
    if (!shape) return [known(dtype, [null, null, null, null])];
    const [n, c, h, w] = shape as [Shape[0], Shape[0], Shape[0], Shape[0]];
    for (const dim of [h, w]) {
      if (typeof dim === 'number' && dim % block !== 0)
        context.fail('E_SHAPE', `${formatShape(shape)} does not divide into blocks of ${block}`);
    }
    return [known(dtype, [n!, multiplyDims(c!, block ** 2), divideDims(h!, block), divideDims(w!, block)])];
  },
  evaluate: ([x], attributes, [out]) => {
    const b = attributes['blocksize'] as number;
    const [n, c, h, w] = x!.dims as [number, number, number, number];
    return [permuted(x!, [n, c, h / b, b, w / b, b], [0, 3, 5, 1, 2, 4], out!.dims)];
  },
});

/** Space and depth exchanged. */
export const SPACE_SCHEMAS: readonly OpSchema[] = [depthToSpace, spaceToDepth];
