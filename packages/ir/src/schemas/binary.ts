import { allocate, type Dim, type DType, type Shape, type Tensor } from '@neural-engine/core';
import { addDims, divideDims, multiplyDims, subtractDims } from '../dims';
import type { Attributes } from '../graph';
import type { AttributeSpec, InferContext, KnownValue, OpSchema } from '../schema';
import { broadcastOffsets, greater, isBig, lesser, numbersOf, writer } from './cells';
import { onnx, slots } from './define';
import { broadcastAll, elementsOf, input, known, reject } from './support';

/** How one pair of elements combines, by the kind of number that holds them. */
export interface PairFunctions {
  readonly float: (a: number, b: number) => number;
  /** Integers of up to 32 bits; the result wraps. Defaults to `float`. */
  readonly int?: (a: number, b: number) => number;
  readonly big?: (a: bigint, b: bigint) => bigint;
}

/** Combines two tensors element by element under broadcasting; both are read in the dtype of the first. */
export function combine(a: Tensor, b: Tensor, out: { dtype: DType; dims: readonly number[] }, functions: PairFunctions): Tensor {
  const atA = broadcastOffsets(a.dims, out.dims);
  const atB = broadcastOffsets(b.dims, out.dims);
  const count = out.dims.reduce((product, dim) => product * dim, 1);
  const data = allocate(out.dtype, count);
  if (isBig(a.dtype) && isBig(b.dtype) && functions.big) {
    const x = a.data as BigInt64Array;
    const y = b.data as BigInt64Array;
    const bigOut = isBig(out.dtype);
    for (let i = 0; i < count; i++) {
      const value = functions.big(x[atA ? atA[i]! : i]!, y[atB ? atB[i]! : i]!);
      if (bigOut) (data as BigInt64Array)[i] = value;
      else (data as Uint8Array)[i] = Number(value);
    }
  } else {
    const floats = a.dtype === 'f32' || a.dtype === 'f64' || a.dtype === 'f16' || a.dtype === 'bf16';
    const f = floats ? functions.float : (functions.int ?? functions.float);
    const x = numbersOf(a);
    const y = numbersOf(b);
    const write = writer(out.dtype, data);
    for (let i = 0; i < count; i++) write(i, f(x[atA ? atA[i]! : i]!, y[atB ? atB[i]! : i]!));
  }
  return { dtype: out.dtype, dims: [...out.dims], data };
}

/** Combines tracked elements pair by pair, a single one with each; undefined where they are unknown. */
export function combineElements(a: Shape | undefined, b: Shape | undefined, f: (a: Dim, b: Dim) => Dim): Shape | undefined {
  if (!a || !b || (a.length !== b.length && a.length !== 1 && b.length !== 1)) return undefined;
  if (a.length === 0 || b.length === 0) return [];
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => f(a[a.length === 1 ? 0 : i]!, b[b.length === 1 ? 0 : i]!));
}

/** Elements of an integer or bool result whose operands are tracked. */
function trackedResult(context: InferContext, f: ((a: Dim, b: Dim) => Dim) | undefined): Shape | undefined {
  if (!f) return undefined;
  let out = elementsOf(context.inputs[0]);
  for (let i = 1; i < context.inputs.length && out; i++) out = combineElements(out, elementsOf(context.inputs[i]), f);
  return out;
}

interface ArithmeticOptions {
  readonly takes?: string;
  readonly attributes?: Record<string, AttributeSpec>;
  readonly commutative?: boolean;
  /** On elements that may be symbols. */
  readonly symbolic?: (a: Dim, b: Dim) => Dim;
  /** Any number of operands. */
  readonly variadic?: boolean;
  /** Applied to the combination of all operands. */
  readonly finish?: (sum: Tensor, operands: number) => Tensor;
}

type Make = PairFunctions | ((attributes: Attributes) => PairFunctions);

/** A broadcasting operator whose output has the dtype of its operands. */
export function arithmetic(op: string, summary: string, make: Make, options: ArithmeticOptions = {}): OpSchema {
  const { takes = 'number', attributes = {}, commutative = false, symbolic, variadic = false, finish } = options;
  return onnx(op, {
    summary,
    inputs: variadic ? slots(`inputs...: T=${takes}`) : slots(`A: T=${takes}`, 'B: T'),
    outputs: slots('C: T'),
    attributes,
    commutative,
    infer: (context): KnownValue[] => {
      const { dtype } = input(context, 0);
      return [known(dtype, broadcastAll(context, context.inputs), trackedResult(context, symbolic))];
    },
    evaluate: (inputs, given, [out]) => {
      const functions = typeof make === 'function' ? make(given) : make;
      let result = inputs[0]!;
      // The last step gives the output its dims, so that one operand alone is broadcast too.
      for (let i = 1; i < inputs.length; i++) {
        const dims = i === inputs.length - 1 ? out!.dims : broadcastPair(result.dims, inputs[i]!.dims);
        result = combine(result, inputs[i]!, { dtype: out!.dtype, dims }, functions);
      }
      return [finish ? finish(result, inputs.length) : result];
    },
  });
}

function broadcastPair(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    return x === 1 ? (b[i - rank + b.length] ?? 1) : x;
  });
}

const zeroDivisor = (): never => reject('E_MODEL', 'an integer is divided by zero');
const bothNumbers =
  (f: (a: number, b: number) => number) =>
  (a: Dim, b: Dim): Dim =>
    typeof a === 'number' && typeof b === 'number' ? f(a, b) : a !== null && a === b ? a : null;

/** The remainder with the sign of the divisor. */
const floorMod = (a: number, b: number): number => (b === 0 ? zeroDivisor() : a - b * Math.floor(a / b));

const divideElements = (a: Dim, b: Dim): Dim =>
  typeof a === 'number' && typeof b === 'number' && b !== 0 ? Math.trunc(a / b) + 0 : divideDims(a, b);

const pow = onnx('Pow', {
  summary: 'A to the power of B; the result has the dtype of A.',
  inputs: slots('X: T=number', 'Y: number'),
  outputs: slots('Z: T'),
  infer: (context) => [{ dtype: input(context, 0).dtype, shape: broadcastAll(context, context.inputs) }],
  evaluate: ([x, y], _, [out]) => [combine(x!, y!, out!, { float: Math.pow })],
});

/** Arithmetic on two or more operands. */
export const ARITHMETIC_SCHEMAS: readonly OpSchema[] = [
  arithmetic('Add', 'A + B.', { float: (a, b) => a + b, big: (a, b) => a + b }, { commutative: true, symbolic: addDims }),
  arithmetic('Sub', 'A − B.', { float: (a, b) => a - b, big: (a, b) => a - b }, { symbolic: subtractDims }),
  arithmetic(
    'Mul',
    'A · B.',
    { float: (a, b) => a * b, int: Math.imul, big: (a, b) => a * b },
    { commutative: true, symbolic: multiplyDims },
  ),
  arithmetic(
    'Div',
    'A / B; integers truncate towards zero.',
    {
      float: (a, b) => a / b,
      int: (a, b) => (b === 0 ? zeroDivisor() : Math.trunc(a / b)),
      big: (a, b) => (b === 0n ? zeroDivisor() : a / b),
    },
    { symbolic: divideElements },
  ),
  pow,
  arithmetic(
    'Mod',
    'Remainder with the sign of B, or of A when fmod is 1.',
    (attributes) =>
      attributes['fmod'] === 1
        ? { float: (a, b) => a % b, int: (a, b) => (b === 0 ? zeroDivisor() : a % b), big: (a, b) => (b === 0n ? zeroDivisor() : a % b) }
        : { float: floorMod, big: (a, b) => (b === 0n ? zeroDivisor() : ((a % b) + b) % b) },
    { attributes: { fmod: { type: 'int', default: 0, oneOf: [0, 1] } } },
  ),
  arithmetic(
    'Min',
    'The least of the operands.',
    { float: Math.min, big: lesser },
    { variadic: true, commutative: true, symbolic: bothNumbers(Math.min) },
  ),
  arithmetic(
    'Max',
    'The greatest of the operands.',
    { float: Math.max, big: greater },
    { variadic: true, commutative: true, symbolic: bothNumbers(Math.max) },
  ),
  arithmetic('Sum', 'The sum of the operands.', { float: (a, b) => a + b }, { takes: 'float', variadic: true, commutative: true }),
  arithmetic(
    'Mean',
    'The mean of the operands.',
    { float: (a, b) => a + b },
    {
      takes: 'float',
      variadic: true,
      commutative: true,
      finish: (sum, operands) => combine(sum, { dtype: 'f64', dims: [], data: Float64Array.of(operands) }, sum, { float: (a, b) => a / b }),
    },
  ),
  arithmetic(
    'And',
    'Logical and.',
    { float: (a, b) => a & b },
    { takes: 'bool', commutative: true, symbolic: bothNumbers((a, b) => a & b) },
  ),
  arithmetic('Or', 'Logical or.', { float: (a, b) => a | b }, { takes: 'bool', commutative: true, symbolic: bothNumbers((a, b) => a | b) }),
  arithmetic('Xor', 'Logical exclusive or.', { float: (a, b) => a ^ b }, { takes: 'bool', commutative: true }),
  arithmetic('BitwiseAnd', 'And of each bit.', { float: (a, b) => a & b, big: (a, b) => a & b }, { takes: 'integer', commutative: true }),
  arithmetic('BitwiseOr', 'Or of each bit.', { float: (a, b) => a | b, big: (a, b) => a | b }, { takes: 'integer', commutative: true }),
  arithmetic(
    'BitwiseXor',
    'Exclusive or of each bit.',
    { float: (a, b) => a ^ b, big: (a, b) => a ^ b },
    { takes: 'integer', commutative: true },
  ),
  arithmetic(
    'BitShift',
    'A shifted left or right by B bits; shifts by the width or more give 0.',
    (attributes) =>
      attributes['direction'] === 'LEFT'
        ? { float: (a, b) => (b > 31 ? 0 : a << b), big: (a, b) => (b > 63n ? 0n : a << b) }
        : { float: (a, b) => (b > 31 ? 0 : a >>> b), big: (a, b) => (b > 63n ? 0n : a >> b) },
    { takes: 'unsigned', attributes: { direction: { type: 'string', required: true, oneOf: ['LEFT', 'RIGHT'] } } },
  ),
];
