import { EngineError } from '@neural-engine/core';
import type { GenericBuilder } from './builder';
import type { Rule, Rules } from './rule';
import { broadcast, contiguous, permuted, product, sliced, type View } from './views';

/** Other dims for the same elements. */
const reshape: Rule = { lower: (b) => b.view(b.x(0)) };

/** A rearrangement that is one view of the input. */
const rearrange = (viewOf: (b: GenericBuilder) => View): Rule => ({ lower: (b) => b.view(b.x(0), viewOf(b)) });

const transpose = rearrange((b) => {
  const view = contiguous(b.x(0).dims);
  const perm = (b.attribute('perm') as readonly number[] | undefined) ?? view.dims.map((_, i) => view.dims.length - 1 - i);
  return permuted(view, perm);
});

/** The first position that a slice takes of an axis of `dim` elements. */
function firstOf(start: number, step: number, dim: number): number {
  const from = start < 0 ? start + dim : start;
  return Math.max(0, Math.min(step > 0 ? dim : dim - 1, from));
}

const slice = rearrange((b) => {
  const { dims } = b.x(0);
  const starts = b.integers(1);
  const axes = b.optional(3) ? b.integers(3) : starts.map((_, i) => i);
  const steps = b.optional(4) ? b.integers(4) : starts.map(() => 1);
  let view = contiguous(dims);
  for (const [i, given] of axes.entries()) {
    const axis = given < 0 ? given + dims.length : given;
    const count = b.y.dims[axis]!;
    // With one element left any step reaches it, and a step of 2⁶³ would leave the range that offsets are kept in.
    view = sliced(view, axis, firstOf(starts[i]!, steps[i]!, dims[axis]!), count > 1 ? steps[i]! : 1, count);
  }
  return view;
});

const expand = rearrange((b) => broadcast(contiguous(b.x(0).dims), b.y.dims));

/** Each axis becomes two: the repetition, which does not move, and the axis itself. */
const tile = rearrange((b) => {
  const { dims, strides } = contiguous(b.x(0).dims);
  return {
    dims: dims.flatMap((dim, i) => [dim === 0 ? 1 : b.y.dims[i]! / dim, dim]),
    strides: strides.flatMap((stride) => [0, stride]),
    offset: 0,
  };
});

/** Splits axes of an image, then moves them. */
function blocks(
  b: GenericBuilder,
  splitDims: (n: number, c: number, h: number, w: number, block: number) => number[],
  perm: number[],
): View {
  const [n, c, h, w] = b.x(0).dims as [number, number, number, number];
  return permuted(contiguous(splitDims(n, c, h, w, b.number('blocksize'))), perm);
}

const depthToSpace = rearrange((b) =>
  b.text('mode') === 'DCR'
    ? blocks(b, (n, c, h, w, s) => [n, s, s, c / s ** 2, h, w], [0, 3, 4, 1, 5, 2])
    : blocks(b, (n, c, h, w, s) => [n, c / s ** 2, s, s, h, w], [0, 1, 4, 2, 5, 3]),
);

const spaceToDepth = rearrange((b) => blocks(b, (n, c, h, w, s) => [n, c, h / s, s, w / s, s], [0, 3, 5, 1, 2, 4]));

const split: Rule = {
  lower(b) {
    const axis = b.axis(b.x(0).dims.length);
    let start = 0;
    for (let i = 0; i < b.outputCount; i++) {
      const y = b.maybeY(i) ?? b.fail('E_UNSUPPORTED', `output ${i} has no name`);
      const count = y.dims[axis]!;
      const view = sliced(contiguous(b.x(0).dims), axis, start, 1, count);
      if (b.outputCount === 1) b.view(b.x(0), view);
      else b.copy(b.x(0), view, y);
      start += count;
    }
  },
};

const concat: Rule = {
  lower(b) {
    const parts = Array.from({ length: b.inputCount }, (_, i) => b.x(i)).filter(({ dims }) => !dims.includes(0));
    if (parts.length === 1) b.view(parts[0]!);
    else b.step('concat', parts, [b.y], { axis: b.axis(b.y.dims.length) });
  },
};

const pad: Rule = {
  lower(b) {
    const { dims } = b.x(0);
    const pads = b.integers(1);
    const axes = b.optional(3) ? b.integers(3) : dims.map((_, i) => i);
    const before = new Array<number>(dims.length).fill(0);
    for (const [i, axis] of axes.entries()) before[axis < 0 ? axis + dims.length : axis] = pads[i]!;
    b.step('pad', [b.x(0), b.optional(2)], [b.y], { before, mode: b.text('mode') });
  },
};

const reverseSequence: Rule = {
  lower(b) {
    b.step('reverse_sequence', [b.x(0), b.x(1)], [b.y], { batch_axis: b.number('batch_axis') });
  },
};

/** Shapes are known while planning, so the result is a constant. */
const shape: Rule = {
  lower(b) {
    const known = b.y.constant;
    if (!known) throw new EngineError('E_INTERNAL', 'plan', `the shape "${b.y.name}" is not known`, { where: b.node.name });
    b.copy(b.constant(known), contiguous([product(known.dims)]), b.y);
  },
};

/** Operators that move elements without computing. */
export const MOVEMENT: Rules = {
  Reshape: reshape,
  Flatten: reshape,
  Squeeze: reshape,
  Unsqueeze: reshape,
  Shape: shape,
  Size: shape,
  Transpose: transpose,
  Slice: slice,
  Expand: expand,
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Split: split,
  Concat: concat,
  Pad: pad,
  ReverseSequence: reverseSequence,
};
