import { fromF16, type Tensor } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { bool, evaluate, f32, infer, of, rounded, s8, s32, s64, shapes, tensorOf, u8 } from '../__fixtures__/sketch';
import type { Attributes } from '../graph';
import { erf } from './erf';

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

describe('unary operators', () => {
  it.each<[string, number, number, Attributes?]>([
    ['Abs', -2, 2],
    ['Neg', 3, -3],
    ['Sign', -7, -1],
    ['Exp', 2, 7.38906],
    ['Log', 5, 1.60944],
    ['Sqrt', 3, 1.73205],
    ['Reciprocal', 4, 0.25],
    ['Erf', 0.5, 0.5205],
    ['Floor', -1.5, -2],
    ['Ceil', -1.5, -1],
    ['Sin', 1, 0.841471],
    ['Cos', 1, 0.540302],
    ['Tan', 1, 1.55741],
    ['Asin', 0.5, 0.523599],
    ['Acos', 0.5, 1.0472],
    ['Atan', 1, 0.785398],
    ['Sinh', 1, 1.1752],
    ['Cosh', 1, 1.54308],
    ['Asinh', 1, 0.881374],
    ['Acosh', 2, 1.31696],
    ['Atanh', 0.5, 0.549306],
    ['Tanh', 1, 0.761594],
    ['Relu', -1, 0],
    ['Sigmoid', 1, 0.731059],
    ['Sigmoid', -1000, 0],
    ['Softplus', 1, 1.31326],
    ['Softplus', 1000, 1000],
    ['Softsign', -3, -0.75],
    ['HardSwish', 1, 0.666667],
    ['HardSigmoid', 1, 0.7],
    ['HardSigmoid', 9, 1],
    ['Mish', 1, 0.865098],
    ['Gelu', 1, 0.841345],
    ['Gelu', 1, 0.841192, { approximate: 'tanh' }],
    ['LeakyRelu', -2, -0.02],
    ['LeakyRelu', -2, -0.4, { alpha: 0.2 }],
    ['ThresholdedRelu', 1, 0],
    ['ThresholdedRelu', 1.5, 1.5],
    ['Elu', -1, -0.632121],
    ['Selu', -1, -1.11133],
    ['Selu', 2, 2.1014],
    ['Celu', -2, -1.26424, { alpha: 2 }],
    ['Shrink', 2, 1.5, { bias: 0.5 }],
    ['Shrink', 0.3, 0],
  ])('%s of %d is %d', (op, x, want, attributes = {}) => {
    const [y] = evaluate(op, [f32([1], [x])], attributes);
    expect(rounded(y!)).toEqual([want]);
  });

  it('keeps dtype and shape, symbols included', () => {
    expect(infer('Gelu', [['batch', 3]])).toEqual([{ dtype: 'f32', shape: ['batch', 3] }]);
    expect(infer('Abs', [of('s64', undefined)])).toEqual([{ dtype: 's64', shape: undefined }]);
  });

  it('computes 64-bit integers exactly', () => {
    const big = 2n ** 62n + 1n;
    expect(evaluate('Neg', [s64([1], [big])])[0]!.data[0]).toBe(-big);
    expect(evaluate('Abs', [s64([1], [-big])])[0]!.data[0]).toBe(big);
  });

  it('rounds f16 results once', () => {
    const [y] = evaluate('Reciprocal', [tensorOf('f16', [1], [3])]);
    expect(fromF16(Number(y!.data[0]))).toBe(0.333251953125);
  });

  it('takes erf to 1e-15 over its whole range', () => {
    // Values of Abramowitz and Stegun, table 7.1, and the symmetry of the function.
    expect(erf(0.5)).toBeCloseTo(0.5204998778130465, 15);
    expect(erf(2)).toBeCloseTo(0.9953222650189527, 15);
    expect(erf(2.499999)).toBeCloseTo(erf(2.500001), 7);
    expect(erf(3)).toBeCloseTo(0.9999779095030014, 15);
    expect(erf(-3)).toBe(-erf(3));
    expect(erf(40)).toBe(1);
    expect(erf(nan)).toBeNaN();
  });

  it('rounds ties to even and keeps the sign of zero', () => {
    const [y] = evaluate('Round', [f32([6], [0.5, 1.5, 2.5, -0.5, -1.5, 2.4])]);
    expect([...(y!.data as Float32Array)]).toEqual([0, 2, 2, -0, -2, 2]);
  });

  it('tells NaN and the infinities apart', () => {
    const x = f32([4], [nan, inf, -inf, 1]);
    expect(evaluate('IsNaN', [x])).toEqual([bool([4], [1, 0, 0, 0])]);
    expect(evaluate('IsInf', [x])).toEqual([bool([4], [0, 1, 1, 0])]);
    expect(evaluate('IsInf', [x], { detect_negative: 0 })).toEqual([bool([4], [0, 1, 0, 0])]);
  });

  it('inverts bools and bits', () => {
    expect(evaluate('Not', [bool([2], [1, 0])])).toEqual([bool([2], [0, 1])]);
    expect(evaluate('BitwiseNot', [u8([2], [0, 5])])).toEqual([u8([2], [255, 250])]);
  });

  it('refuses dtypes that the operator does not take', () => {
    expect(() => infer('Sqrt', [of('s64', [1])])).toThrow(expect.objectContaining({ code: 'E_MODEL' }));
  });
});

describe('Clip', () => {
  it('bounds both sides, and the upper bound wins where they cross', () => {
    const x = f32([3], [-2, 0.5, 7]);
    expect(evaluate('Clip', [x, f32([], [-1]), f32([], [1])])).toEqual([f32([3], [-1, 0.5, 1])]);
    expect(evaluate('Clip', [x, undefined, f32([], [0])])).toEqual([f32([3], [-2, 0, 0])]);
    expect(evaluate('Clip', [x, f32([], [2]), f32([], [1])])).toEqual([f32([3], [1, 1, 1])]);
    expect(evaluate('Clip', [s64([2], [-5, 5]), s64([], [0])])).toEqual([s64([2], [0, 5])]);
  });

  it('leaves NaN alone', () => expect(evaluate('Clip', [f32([1], [nan]), f32([], [0])])[0]!.data[0]).toBeNaN());
});

describe('Dropout', () => {
  it('does nothing outside of training', () => {
    const x = f32([2], [1, 2]);
    expect(evaluate('Dropout', [x], {}, 2)).toEqual([x, bool([2], [1, 1])]);
    expect(() => infer('Dropout', [x, undefined, bool([], [1])])).toThrow(expect.objectContaining({ code: 'E_UNSUPPORTED' }));
  });
});

describe('operators on two operands', () => {
  const a = f32([2, 1], [6, -7]);
  const b = f32([3], [2, 3, -4]);
  it.each<[string, number[]]>([
    ['Add', [8, 9, 2, -5, -4, -11]],
    ['Sub', [4, 3, 10, -9, -10, -3]],
    ['Mul', [12, 18, -24, -14, -21, 28]],
    ['Div', [3, 2, -1.5, -3.5, -2.33333, 1.75]],
    ['Pow', [36, 216, 0.000771605, 49, -343, 0.000416493]],
    ['Min', [2, 3, -4, -7, -7, -7]],
    ['Max', [6, 6, 6, 2, 3, -4]],
    ['Sum', [8, 9, 2, -5, -4, -11]],
    ['Mean', [4, 4.5, 1, -2.5, -2, -5.5]],
  ])('%s broadcasts', (op, want) => {
    const [y] = evaluate(op, [a, b]);
    expect(y!.dims).toEqual([2, 3]);
    expect(rounded(y!)).toEqual(want);
  });

  it('Min, Max, Sum and Mean take any number of operands', () => {
    const parts = [f32([], [1]), f32([2], [5, -3]), f32([2, 1], [2, 9])];
    expect(rounded(evaluate('Max', parts)[0]!)).toEqual([5, 2, 9, 9]);
    expect(rounded(evaluate('Mean', parts)[0]!)).toEqual([2.66667, 0, 5, 2.33333]);
    expect(evaluate('Sum', [a])).toEqual([a]);
  });

  it('integers wrap, and division truncates towards zero', () => {
    expect(evaluate('Add', [u8([1], [250]), u8([1], [10])])).toEqual([u8([1], [4])]);
    expect(evaluate('Mul', [s32([1], [2 ** 30]), s32([1], [6])])).toEqual([s32([1], [-(2 ** 31)])]);
    expect(evaluate('Div', [s64([2], [-7, 7]), s64([], [2])])).toEqual([s64([2], [-3, 3])]);
    expect(evaluate('Mul', [s64([1], [2n ** 40n + 1n]), s64([1], [3])])).toEqual([s64([1], [3n * 2n ** 40n + 3n])]);
  });

  it('an integer division by zero is an error of the model', () => {
    for (const op of ['Div', 'Mod']) {
      for (const make of [s32, s64]) {
        expect(() => evaluate(op, [make([1], [1]), make([1], [0])])).toThrow(expect.objectContaining({ code: 'E_MODEL', where: 'tested' }));
      }
    }
  });

  it('Mod takes the sign of the divisor, with fmod that of the dividend', () => {
    const [x, y] = [s64([4], [-7, 7, -7, 7]), s64([4], [3, 3, -3, -3])];
    expect(rounded(evaluate('Mod', [x, y])[0]!)).toEqual([2, 1, -1, -2]);
    expect(rounded(evaluate('Mod', [x, y], { fmod: 1 })[0]!)).toEqual([-1, 1, -1, 1]);
    expect(rounded(evaluate('Mod', [f32([1], [-4.5]), f32([1], [2])], { fmod: 1 })[0]!)).toEqual([-0.5]);
  });

  it.each<[string, number[]]>([
    ['And', [0, 0, 0, 1]],
    ['Or', [0, 1, 1, 1]],
    ['Xor', [0, 1, 1, 0]],
  ])('%s', (op, want) => {
    expect(evaluate(op, [bool([2, 1], [0, 1]), bool([2], [0, 1])])).toEqual([bool([2, 2], want)]);
  });

  it('works on bits', () => {
    const [x, y] = [u8([1], [12]), u8([1], [10])];
    expect(evaluate('BitwiseAnd', [x, y])).toEqual([u8([1], [8])]);
    expect(evaluate('BitwiseOr', [x, y])).toEqual([u8([1], [14])]);
    expect(evaluate('BitwiseXor', [x, y])).toEqual([u8([1], [6])]);
    expect(evaluate('BitShift', [u8([2], [200, 3]), u8([2], [1, 2])], { direction: 'LEFT' })).toEqual([u8([2], [144, 12])]);
    expect(evaluate('BitShift', [u8([2], [200, 3]), u8([2], [1, 2])], { direction: 'RIGHT' })).toEqual([u8([2], [100, 0])]);
  });

  it('PRelu broadcasts its slope to the input only', () => {
    expect(evaluate('PRelu', [f32([2, 2], [-1, 2, -3, 4]), f32([2], [0.5, 2])])).toEqual([f32([2, 2], [-0.5, 2, -1.5, 4])]);
    expect(() => infer('PRelu', [[2], [3, 2]])).toThrow(expect.objectContaining({ code: 'E_SHAPE' }));
  });

  it('broadcasts symbols, and refuses what does not fit', () => {
    expect(
      shapes('Add', [
        ['batch', 1],
        [1, 'seq'],
      ]),
    ).toEqual([['batch', 'seq']]);
    expect(() => infer('Add', [[2], [3]])).toThrow(
      expect.objectContaining({ code: 'E_SHAPE', message: expect.stringContaining('[2] and [3]') }),
    );
    expect(() => infer('Add', [of('f32', [2]), of('s64', [2])])).toThrow(expect.objectContaining({ code: 'E_MODEL' }));
  });
});

describe('comparison', () => {
  it.each<[string, number[]]>([
    ['Equal', [0, 1, 0]],
    ['Greater', [0, 0, 1]],
    ['Less', [1, 0, 0]],
    ['GreaterOrEqual', [0, 1, 1]],
    ['LessOrEqual', [1, 1, 0]],
  ])('%s', (op, want) => {
    expect(evaluate(op, [f32([3], [1, 2, 3]), f32([], [2])])).toEqual([bool([3], want)]);
    expect(evaluate(op, [s64([3], [1, 2, 3]), s64([1], [2])])).toEqual([bool([3], want)]);
  });

  it('compares 64-bit integers that a double cannot tell apart', () => {
    expect(evaluate('Equal', [s64([1], [2n ** 60n]), s64([1], [2n ** 60n + 1n])])).toEqual([bool([1], [0])]);
  });

  it('nothing equals NaN', () => expect(evaluate('Equal', [f32([1], [nan]), f32([1], [nan])])).toEqual([bool([1], [0])]));

  it('Where picks from either side', () => {
    expect(evaluate('Where', [bool([2, 1], [1, 0]), f32([2], [1, 2]), f32([], [9])])).toEqual([f32([2, 2], [1, 2, 9, 9])]);
  });
});

describe('Cast', () => {
  it.each<[Tensor, string, Tensor]>([
    [f32([3], [1.9, -1.9, 0]), 's64', s64([3], [1, -1, 0])],
    [f32([2], [0, 0.5]), 'bool', bool([2], [0, 1])],
    [s64([2], [-1, 300]), 'u8', u8([2], [255, 44])],
    [s64([1], [2n ** 40n + 7n]), 's32', s32([1], [7])],
    [bool([2], [1, 0]), 'f32', f32([2], [1, 0])],
    [tensorOf('u64', [1], [2n ** 63n]), 's64', s64([1], [-(2n ** 63n)])],
    [s8([1], [-5]), 's64', s64([1], [-5])],
    [f32([1], [1.00001]), 'f16', tensorOf('f16', [1], [1])],
  ])('case %#', (x, to, want) => {
    expect(evaluate('Cast', [x], { to })).toEqual([want]);
    expect(evaluate('CastLike', [x, want])).toEqual([want]);
  });

  it('keeps symbolic elements between integers and drops them as floats', () => {
    const shape = { dtype: 's64' as const, shape: [2], elements: ['batch', 4] };
    expect(infer('Cast', [shape], { to: 's32' })[0]).toMatchObject({ dtype: 's32', elements: ['batch', 4] });
    expect(infer('Cast', [shape], { to: 'f32' })[0]).toEqual({ dtype: 'f32', shape: [2] });
  });

  it('refuses strings and unknown dtypes', () => {
    expect(() => infer('Cast', [of('string', [1])], { to: 'f32' })).toThrow(expect.objectContaining({ code: 'E_UNSUPPORTED' }));
    expect(() => infer('Cast', [[1]], { to: 'f8' })).toThrow(expect.objectContaining({ code: 'E_MODEL' }));
  });
});
