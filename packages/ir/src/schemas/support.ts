import { type Dim, type DType, EngineError, formatShape, type Shape, type Tensor } from '@neural-engine/core';
import { broadcastShapes, unifyDims } from '../dims';
import type { InferContext, KnownValue, SchemaErrorCode } from '../schema';
import { elementAt } from './cells';

/** What schemas share when they infer: operands, axes, small integer values. */

/** Integer vectors up to this many elements are followed through shape arithmetic. */
export const MAX_TRACKED_ELEMENTS = 64;

/** Rejects constant inputs while they are evaluated; the caller adds node and operator to the message. */
export function reject(code: SchemaErrorCode, message: string): never {
  throw new EngineError(code, 'compile', message);
}

/** A required input. */
export function input(context: InferContext, index: number): KnownValue {
  return context.inputs[index] ?? context.fail('E_MODEL', `input ${index} is missing`);
}

/** A normalised axis: within [0, rank). */
export function axisOf(context: Pick<InferContext, 'fail'>, axis: number, rank: number, what = 'axis'): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    context.fail('E_MODEL', `${what} ${axis} is outside [${-rank}, ${rank - 1}]`);
  }
  return axis < 0 ? axis + rank : axis;
}

/** Normalised axes, each at most once, in the order given. */
export function axesOf(context: Pick<InferContext, 'fail'>, axes: readonly number[], rank: number, what = 'axes'): number[] {
  const out = axes.map((axis) => axisOf(context, axis, rank, what));
  if (new Set(out).size !== out.length) context.fail('E_MODEL', `${what} [${axes.join(', ')}] name an axis twice`);
  return out;
}

/** The elements of a small integer or bool scalar or vector, symbols allowed; undefined where they are unknown or many. */
export function elementsOf(value: KnownValue | undefined): Shape | undefined {
  if (!value) return undefined;
  if (value.elements) return value.elements;
  const { constant } = value;
  if (!constant || constant.data.length > MAX_TRACKED_ELEMENTS || constant.dims.length > 1 || !isTracked(value.dtype)) return undefined;
  const elements = Array.from(constant.data as ArrayLike<number | bigint>, Number);
  // What a double cannot hold is left to the exact evaluation.
  return elements.every(Number.isSafeInteger) ? elements : undefined;
}

const isTracked = (dtype: DType): boolean => dtype === 's64' || dtype === 's32' || dtype === 'bool' || dtype === 'u64' || dtype === 'u32';

/** Beyond the safe integers ONNX files only have "to the end" marks, so the nearest safe integer means the same. */
function toSafe(element: number | bigint): number {
  const number = Number(element);
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, number));
}

/** The elements as plain numbers, or undefined where one is unknown or a symbol. A present input of a rank above 1 is rejected. */
export function integersOf(context: InferContext, index: number): readonly number[] | undefined {
  const value = context.inputs[index];
  if (value?.shape && value.shape.length > 1) {
    context.fail('E_SHAPE', `input ${index} is ${formatShape(value.shape)}; a scalar or a vector is needed`);
  }
  if (value?.constant && !value.elements) {
    return Array.from(value.constant.data as ArrayLike<number | bigint>, (element) => toSafe(element));
  }
  const elements = elementsOf(value);
  return elements?.every((element) => typeof element === 'number') ? (elements as readonly number[]) : undefined;
}

/** A value of `dtype` and `shape` with tracked elements where they are given. */
export function known(dtype: DType, shape: Shape | undefined, elements?: Shape): KnownValue {
  return elements && elements.length <= MAX_TRACKED_ELEMENTS ? { dtype, shape, elements } : { dtype, shape };
}

/** The broadcast shape of several operands; undefined while one of them is unknown. */
export function broadcastAll(context: InferContext, values: readonly (KnownValue | undefined)[]): Shape | undefined {
  let out: Shape | undefined = [];
  for (const value of values) {
    if (!value) continue;
    if (!value.shape || !out) {
      out = undefined;
      continue;
    }
    const next: Shape | undefined = broadcastShapes(out, value.shape);
    if (!next) context.fail('E_SHAPE', `shapes ${formatShape(out)} and ${formatShape(value.shape)} do not broadcast`);
    out = next;
  }
  return out;
}

/** Rejects a value whose rank is known and different. */
export function expectRank(context: InferContext, value: KnownValue | undefined, rank: number, what: string): void {
  if (value?.shape && value.shape.length !== rank) {
    context.fail('E_SHAPE', `${what} is ${formatShape(value.shape)}; rank ${rank} is needed`);
  }
}

/** The common dim of two that must be equal, rejected where they differ. */
export function sameDim(context: InferContext, a: Dim, b: Dim, what: string): Dim {
  const dim = unifyDims(a, b);
  return dim === undefined ? context.fail('E_SHAPE', `${what}: ${a} and ${b} differ`) : dim;
}

/** An output like the first input, except that its elements are new. */
export const likeFirst = (context: InferContext): KnownValue[] => {
  const { dtype, shape } = input(context, 0);
  return [{ dtype, shape }];
};

/** A one-element constant as a number. */
export function scalarOf(tensor: Tensor | undefined, what: string): number | undefined {
  if (!tensor) return undefined;
  if (tensor.data.length !== 1) reject('E_SHAPE', `${what} must hold one element, not ${tensor.data.length}`);
  return elementAt(tensor, 0);
}
