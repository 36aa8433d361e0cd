import type { Dims } from '@neural-engine/core';

/** Elements of a row-major tensor seen under other dims: element `i` lies at `offset + Σ i·strides`, in elements. */
export interface View {
  readonly dims: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/** All elements in order. */
export function contiguous(dims: Dims): View {
  const strides = new Array<number>(dims.length);
  let stride = 1;
  for (let i = dims.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= dims[i]!;
  }
  return { dims: [...dims], strides, offset: 0 };
}

/** The axes in the order `perm` names them. */
export const permuted = ({ dims, strides, offset }: View, perm: readonly number[]): View => ({
  dims: perm.map((axis) => dims[axis]!),
  strides: perm.map((axis) => strides[axis]!),
  offset,
});

/** `count` positions of an axis from `start` on, `step` apart. */
export function sliced({ dims, strides, offset }: View, axis: number, start: number, step: number, count: number): View {
  const along = strides[axis]!;
  return {
    dims: dims.map((dim, i) => (i === axis ? count : dim)),
    strides: strides.map((stride, i) => (i === axis ? stride * step : stride)),
    // A view without elements reads nothing, wherever it starts.
    offset: count === 0 ? offset : offset + start * along,
  };
}

/** The view repeated along leading axes and along axes of 1 until it has `dims`. */
export function broadcast({ dims, strides, offset }: View, to: Dims): View {
  const lead = to.length - dims.length;
  return { dims: [...to], strides: to.map((dim, i) => (i < lead || dims[i - lead] !== dim ? 0 : strides[i - lead]!)), offset };
}

/** True when the view is all `count` elements in order, so that no copy is needed. */
export function isWhole({ dims, strides, offset }: View, count: number): boolean {
  if (product(dims) !== count) return false;
  if (count === 0) return true;
  let stride = 1;
  for (let i = dims.length - 1; i >= 0; i--) {
    if (dims[i] === 1) continue;
    if (strides[i] !== stride) return false;
    stride *= dims[i]!;
  }
  return offset === 0;
}

/** The dims that ONNX broadcasting gives; the shapes are known to fit. */
export function broadcastDims(...shapes: readonly Dims[]): number[] {
  const rank = Math.max(0, ...shapes.map((dims) => dims.length));
  return Array.from({ length: rank }, (_, i) => {
    const along = shapes.map((dims) => dims[i - rank + dims.length] ?? 1);
    return along.find((dim) => dim !== 1) ?? 1;
  });
}

export const product = (dims: Dims): number => dims.reduce((total, dim) => total * dim, 1);
