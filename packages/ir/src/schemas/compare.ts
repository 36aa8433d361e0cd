import type { Dim, Shape } from '@neural-engine/core';
import { isPlainSymbol } from '../dims';
import type { OpSchema } from '../schema';
import { combine, combineElements, type PairFunctions } from './binary';
import { broadcastTo, copyCell } from './cells';
import { onnx, slots } from './define';
import { broadcastAll, elementsOf, input, known } from './support';

/**
 * −1, 0 or 1 as `a` is below, equal to or above `b`, or null where that depends on a symbol. A symbol is at least zero, so it is above
 * every negative number; that settles the `shape == -1` tests of exporters.
 */
function order(a: Dim, b: Dim): number | null {
  if (typeof a === 'number' && typeof b === 'number') return Math.sign(a - b);
  if (a !== null && a === b) return 0;
  if (isPlainSymbol(a) && typeof b === 'number' && b < 0) return 1;
  if (isPlainSymbol(b) && typeof a === 'number' && a < 0) return -1;
  return null;
}

function comparison(
  op: string,
  summary: string,
  takes: string,
  functions: PairFunctions,
  holds: (order: number) => boolean,
  commutative = false,
): OpSchema {
  return onnx(op, {
    summary,
    inputs: slots(`A: T=${takes}`, 'B: T'),
    outputs: slots('C: bool'),
    commutative,
    infer: (context) => {
      const elements = combineElements(elementsOf(context.inputs[0]), elementsOf(context.inputs[1]), (a, b) => {
        const sign = order(a, b);
        return sign === null ? null : holds(sign) ? 1 : 0;
      });
      return [known('bool', broadcastAll(context, context.inputs), elements)];
    },
    evaluate: ([a, b], _, [out]) => [combine(a!, b!, out!, functions)],
  });
}

const pair = (float: (a: number, b: number) => boolean, big: (a: bigint, b: bigint) => boolean): PairFunctions => ({
  float: (a, b) => (float(a, b) ? 1 : 0),
  big: (a, b) => (big(a, b) ? 1n : 0n),
});

/** Element by element: one of the branches, null where the condition is unknown and they differ. */
function choose(condition: Shape, x: Shape, y: Shape): Shape | undefined {
  const length = Math.max(condition.length, x.length, y.length);
  if ([condition, x, y].some((part) => part.length !== length && part.length !== 1)) return undefined;
  return Array.from({ length }, (_, i) => {
    const test = condition[condition.length === 1 ? 0 : i]!;
    const yes = x[x.length === 1 ? 0 : i]!;
    const no = y[y.length === 1 ? 0 : i]!;
    return typeof test === 'number' ? (test !== 0 ? yes : no) : yes === no ? yes : null;
  });
}

const where = onnx('Where', {
  summary: 'Elements of X where the condition holds, of Y elsewhere.',
  inputs: slots('condition: bool', 'X: T=any', 'Y: T'),
  outputs: slots('output: T'),
  infer: (context) => {
    const [condition, x, y] = context.inputs.map(elementsOf);
    const elements = condition && x && y ? choose(condition, x, y) : undefined;
    return [known(input(context, 1).dtype, broadcastAll(context, context.inputs), elements)];
  },
  evaluate: ([condition, x, y], _, [out]) => {
    const test = broadcastTo(condition!, out!.dims).data;
    const yes = broadcastTo(x!, out!.dims).data;
    const data = broadcastTo(y!, out!.dims).data.slice();
    for (let i = 0; i < test.length; i++) if (test[i]) copyCell(yes, i, data, i);
    return [{ dtype: out!.dtype, dims: out!.dims, data }];
  },
});

/** Comparison and choice. */
export const COMPARE_SCHEMAS: readonly OpSchema[] = [
  comparison(
    'Equal',
    'True where A equals B.',
    'number|bool',
    pair(
      (a, b) => a === b,
      (a, b) => a === b,
    ),
    (sign) => sign === 0,
    true,
  ),
  comparison(
    'Greater',
    'True where A is above B.',
    'number',
    pair(
      (a, b) => a > b,
      (a, b) => a > b,
    ),
    (sign) => sign > 0,
  ),
  comparison(
    'Less',
    'True where A is below B.',
    'number',
    pair(
      (a, b) => a < b,
      (a, b) => a < b,
    ),
    (sign) => sign < 0,
  ),
  comparison(
    'GreaterOrEqual',
    'True where A is not below B.',
    'number',
    pair(
      (a, b) => a >= b,
      (a, b) => a >= b,
    ),
    (sign) => sign >= 0,
  ),
  comparison(
    'LessOrEqual',
    'True where A is not above B.',
    'number',
    pair(
      (a, b) => a <= b,
      (a, b) => a <= b,
    ),
    (sign) => sign <= 0,
  ),
  where,
];
