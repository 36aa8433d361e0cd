import { EngineError, type Stage } from './errors';
import { LIMITS } from './limits';

/** A dimension: a number, a named unknown such as `batch`, or `null` when nothing is known. */
export type Dim = number | string | null;
export type Shape = readonly Dim[];
export type Dims = readonly number[];

/**
 * Number of elements of `dims`, exactly.
 *
 * A zero dimension makes the count 0 whatever stands beside it, in any order.
 * @throws {EngineError} E_SHAPE a dimension is negative, fractional, or the product is not a safe integer; E_LIMIT rank above the limit.
 */
export function elementCount(dims: Dims, where = 'tensor', stage: Stage = 'check'): number {
  if (dims.length > LIMITS.rank)
    throw new EngineError('E_LIMIT', stage, `${where}: rank ${dims.length} is above the limit of ${LIMITS.rank}`, { where });
  for (const dim of dims) {
    if (!Number.isSafeInteger(dim) || dim < 0) {
      throw new EngineError('E_SHAPE', stage, `${where}: dimension ${dim} in [${dims.join(', ')}] is not a non-negative integer`, {
        where,
      });
    }
  }
  if (dims.includes(0)) return 0;
  let count = 1;
  for (const dim of dims) {
    count *= dim;
    if (!Number.isSafeInteger(count))
      throw new EngineError('E_SHAPE', stage, `${where}: [${dims.join(', ')}] has too many elements`, { where });
  }
  return count;
}

export const isStatic = (shape: Shape): shape is Dims => shape.every((dim) => typeof dim === 'number');

export const sameDims = (a: Dims, b: Dims): boolean => a.length === b.length && a.every((dim, i) => dim === b[i]);

/** Prints `[batch, 128, ?]`. */
export const formatShape = (shape: Shape): string => `[${shape.map((dim) => dim ?? '?').join(', ')}]`;
