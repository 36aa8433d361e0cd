import type { Tensor } from '@neural-engine/core';
import type { Attributes } from '../graph';
import type { OpSchema } from '../schema';
import { fromNumbers, numbersOf } from './cells';
import { onnx, slots } from './define';
import { elementsOf, input, known } from './support';
import { unary } from './unary';

const predicate = (
  op: string,
  summary: string,
  attributes: OpSchema['attributes'],
  test: (x: number, given: Attributes) => boolean,
): OpSchema =>
  onnx(op, {
    summary,
    inputs: slots('X: T=float'),
    outputs: slots('Y: bool'),
    attributes,
    infer: (context) => [{ dtype: 'bool', shape: input(context, 0).shape }],
    evaluate: ([x], given, [out]) => [
      fromNumbers(
        'bool',
        out!.dims,
        Array.from(numbersOf(x!), (value) => (test(value, given) ? 1 : 0)),
      ),
    ],
  });

const not = onnx('Not', {
  summary: 'Logical negation.',
  inputs: slots('X: bool'),
  outputs: slots('Y: bool'),
  infer: (context) => {
    const { shape } = input(context, 0);
    const elements = elementsOf(context.inputs[0])?.map((x) => (typeof x === 'number' ? (x === 0 ? 1 : 0) : null));
    return [known('bool', shape, elements)];
  },
  evaluate: ([x]) => [{ dtype: 'bool', dims: x!.dims, data: (x!.data as Uint8Array).map((value) => (value === 0 ? 1 : 0)) }],
});

const identity = onnx('Identity', {
  summary: 'The input, unchanged.',
  inputs: slots('X: T=any'),
  outputs: slots('Y: T'),
  infer: (context) => [input(context, 0)],
  evaluate: ([x]) => [x as Tensor],
});

/** Unary operators of logic and bits. */
export const LOGIC_SCHEMAS: readonly OpSchema[] = [
  identity,
  not,
  unary('BitwiseNot', 'Each bit inverted.', (x) => ~x, { takes: 'integer', big: (x) => ~x }),
  predicate('IsNaN', 'True where the element is NaN.', {}, (x) => Number.isNaN(x)),
  predicate(
    'IsInf',
    'True where the element is infinite, of the signs asked for.',
    { detect_negative: { type: 'int', default: 1 }, detect_positive: { type: 'int', default: 1 } },
    (x, given) =>
      (x === Number.POSITIVE_INFINITY && given['detect_positive'] !== 0) ||
      (x === Number.NEGATIVE_INFINITY && given['detect_negative'] !== 0),
  ),
];
