import { describe, expect, it } from 'vitest';
import { evaluate, f32, infer, rounded, s32, s64, shapes, tensorOf, u8 } from '../__fixtures__/sketch';
import type { Attributes } from '../graph';

const matrix = f32([2, 3], [1, 2, 3, 4, 5, 6]);
const ints = (...values: (number | bigint)[]) => s64([values.length], values);
const refused = (code: string) => expect.objectContaining({ code });

describe('Gather', () => {
  it('picks along an axis, counting back from the end', () => {
    expect(evaluate('Gather', [matrix, ints(-1, 0)])).toEqual([f32([2, 3], [4, 5, 6, 1, 2, 3])]);
    expect(evaluate('Gather', [matrix, s32([], [1])], { axis: 1 })).toEqual([f32([2], [2, 5])]);
    expect(
      shapes(
        'Gather',
        [
          [30522, 768],
          ['batch', 'seq'],
        ].map((shape, i) => ({ dtype: i ? ('s64' as const) : ('f32' as const), shape })),
      ),
    ).toEqual([['batch', 'seq', 768]]);
  });

  it.each([2, -3, 2n ** 63n - 1n, -(2n ** 63n)])('refuses index %s of an axis of 2', (index) => {
    expect(() => evaluate('Gather', [matrix, ints(index)])).toThrow(refused('E_MODEL'));
    expect(() => evaluate('GatherElements', [matrix, s64([1, 3], [0, 0, index])])).toThrow(refused('E_MODEL'));
    expect(() => evaluate('GatherND', [matrix, s64([1, 1], [index])])).toThrow(refused('E_MODEL'));
    expect(() => evaluate('ScatterND', [matrix, s64([1, 1], [index]), f32([1, 3], [0, 0, 0])])).toThrow(refused('E_MODEL'));
    expect(() => evaluate('ScatterElements', [matrix, s64([1, 1], [index]), f32([1, 1], [0])])).toThrow(refused('E_MODEL'));
  });

  it('refuses any index of an empty axis', () => {
    expect(() => evaluate('Gather', [f32([0, 3], []), ints(0)])).toThrow(refused('E_MODEL'));
  });

  it('picks symbols out of a shape', () => {
    const shape = { dtype: 's64' as const, shape: [3], elements: ['b', 's', 4] };
    expect(infer('Gather', [shape, s64([], [1])])[0]).toEqual({ dtype: 's64', shape: [], elements: ['s'] });
    expect(infer('Gather', [shape, ints(-1)])[0]!.constant).toEqual(ints(4));
    expect(() => infer('Gather', [shape, ints(3)])).toThrow(refused('E_MODEL'));
  });
});

describe('other picking operators', () => {
  it('GatherElements and GatherND', () => {
    expect(evaluate('GatherElements', [matrix, s64([2, 2], [2, 0, -1, 1])], { axis: 1 })).toEqual([f32([2, 2], [3, 1, 6, 5])]);
    expect(evaluate('GatherND', [matrix, s64([2, 2], [0, 2, 1, -3])])).toEqual([f32([2], [3, 4])]);
    expect(evaluate('GatherND', [matrix, s64([2, 1], [2, 0])], { batch_dims: 1 })).toEqual([f32([2], [3, 4])]);
    expect(() => infer('GatherND', [matrix, s64([1, 3], [0, 0, 0])])).toThrow(refused('E_SHAPE'));
    expect(() => infer('GatherND', [matrix, s64([2], [0, 0])], { batch_dims: 1 })).toThrow(refused('E_MODEL'));
  });

  it('OneHot marks the index, and nothing for one out of range', () => {
    expect(evaluate('OneHot', [ints(1, -1, 5), s64([], [3]), f32([2], [0, 9])])).toEqual([f32([3, 3], [0, 9, 0, 0, 0, 9, 0, 0, 0])]);
    expect(shapes('OneHot', [['n'], s64([], [3]), f32([2], [0, 1])], { axis: 0 })).toEqual([[3, 'n']]);
  });

  it('ReverseSequence reverses each sequence as far as it is long', () => {
    const x = f32([3, 2], [1, 2, 3, 4, 5, 6]);
    expect(evaluate('ReverseSequence', [x, ints(2, 3)])).toEqual([f32([3, 2], [3, 6, 1, 4, 5, 2])]);
    expect(() => evaluate('ReverseSequence', [x, ints(4, 1)])).toThrow(refused('E_MODEL'));
    expect(() => evaluate('ReverseSequence', [x, ints(1)])).toThrow(refused('E_SHAPE'));
  });
});

describe('writing by index', () => {
  const data = f32([3], [1, 2, 3]);
  it.each<[string, number[]]>([
    ['none', [1, 5, 3]],
    ['add', [1, 11, 3]],
    ['mul', [1, 40, 3]],
    ['min', [1, 2, 3]],
    ['max', [1, 5, 3]],
  ])('with reduction %s', (reduction, want) => {
    const [indices, updates] = [ints(1, 1), f32([2], [4, 5])];
    expect(evaluate('ScatterElements', [data, indices, updates], { reduction })).toEqual([f32([3], want)]);
    expect(evaluate('ScatterND', [data, s64([2, 1], [1, 1]), updates], { reduction })).toEqual([f32([3], want)]);
  });

  it('leaves the data it was given alone', () => {
    evaluate('Scatter', [data, ints(0), f32([1], [9])]);
    expect(data).toEqual(f32([3], [1, 2, 3]));
  });

  it('adds 64-bit integers exactly', () => {
    expect(evaluate('ScatterElements', [ints(2n ** 60n), ints(0), ints(1)], { reduction: 'add' })).toEqual([ints(2n ** 60n + 1n)]);
  });

  it('refuses updates of another shape', () => {
    expect(() => infer('ScatterND', [matrix, s64([1, 1], [0]), f32([1, 2], [0, 0])])).toThrow(refused('E_SHAPE'));
    expect(() => infer('ScatterElements', [data, ints(0, 1), f32([1], [0])])).toThrow(refused('E_SHAPE'));
    expect(() => infer('ScatterElements', [matrix, s64([1, 4], [0, 0, 0, 0]), f32([1, 4], [0, 0, 0, 0])])).toThrow(refused('E_SHAPE'));
  });
});

describe('reductions', () => {
  it.each<[string, number[]]>([
    ['ReduceSum', [6, 15]],
    ['ReduceMean', [2, 5]],
    ['ReduceMax', [3, 6]],
    ['ReduceMin', [1, 4]],
    ['ReduceProd', [6, 120]],
    ['ReduceL1', [6, 15]],
    ['ReduceL2', [3.74166, 8.77496]],
    ['ReduceLogSum', [1.79176, 2.70805]],
    ['ReduceLogSumExp', [3.40761, 6.40761]],
    ['ReduceSumSquare', [14, 77]],
  ])('%s over the last axis', (op, want) => {
    const [y] = evaluate(op, [matrix, ints(-1)]);
    expect(y!.dims).toEqual([2, 1]);
    expect(rounded(y!)).toEqual(want);
  });

  it('reduce all axes without axes, none when asked', () => {
    expect(evaluate('ReduceSum', [matrix], { keepdims: 0 })).toEqual([f32([], [21])]);
    expect(evaluate('ReduceSum', [matrix, ints()])).toEqual([f32([1, 1], [21])]);
    expect(evaluate('ReduceSum', [matrix, ints()], { noop_with_empty_axes: 1 })).toEqual([matrix]);
  });

  it('give the neutral element of nothing', () => {
    const empty = f32([0, 2], []);
    expect(evaluate('ReduceSum', [empty, ints(0)])).toEqual([f32([1, 2], [0, 0])]);
    expect(evaluate('ReduceProd', [s64([0], [])])).toEqual([ints(1)]);
    expect(evaluate('ReduceMax', [empty, ints(0)])).toEqual([f32([1, 2], [-Infinity, -Infinity])]);
  });

  it('sum 64-bit integers exactly', () => {
    expect(evaluate('ReduceSum', [ints(2n ** 60n, 1n)])).toEqual([ints(2n ** 60n + 1n)]);
  });

  it('keep symbols', () => {
    expect(shapes('ReduceMean', [['b', 's', 768], ints(-1)])).toEqual([['b', 's', 1]]);
    expect(shapes('ReduceMean', [['b', 's', 768], ints(1)], { keepdims: 0 })).toEqual([['b', 768]]);
    expect(shapes('ReduceMean', [['b', 's'], { dtype: 's64', shape: [1] }])).toEqual([[null, null]]);
  });

  it.each([[[2]], [[-3]], [[0, 0]], [[0, -2]]])('refuse axes %j of a matrix', (axes) => {
    expect(() => infer('ReduceSum', [matrix, ints(...axes)])).toThrow(refused('E_MODEL'));
  });
});

describe('selection', () => {
  const x = f32([2, 3], [3, 1, 3, 2, 2, 5]);
  it.each<[string, Attributes, number[]]>([
    ['ArgMax', { axis: 1 }, [0, 2]],
    ['ArgMax', { axis: -1, select_last_index: 1 }, [2, 2]],
    ['ArgMin', { axis: 1 }, [1, 0]],
    ['ArgMax', {}, [0, 1, 1]],
  ])('%s %j', (op, attributes, want) => {
    expect(rounded(evaluate(op, [x], { ...attributes, keepdims: 0 })[0]!)).toEqual(want);
  });

  it('TopK gives values and indices, the lower index first among equals', () => {
    expect(evaluate('TopK', [x, ints(2)], {}, 2)).toEqual([f32([2, 2], [3, 3, 5, 2]), s64([2, 2], [0, 2, 2, 0])]);
    expect(evaluate('TopK', [x, ints(1)], { axis: 0, largest: 0 }, 2)).toEqual([f32([1, 3], [2, 1, 3]), s64([1, 3], [1, 0, 0])]);
    expect(() => infer('TopK', [x, ints(4)], {}, 2)).toThrow(refused('E_SHAPE'));
    expect(() => infer('TopK', [x, ints(-1)], {}, 2)).toThrow(refused('E_SHAPE'));
  });

  it('CumSum runs either way, with or without the element itself', () => {
    const v = f32([3], [1, 2, 3]);
    expect(evaluate('CumSum', [v, s64([], [0])])).toEqual([f32([3], [1, 3, 6])]);
    expect(evaluate('CumSum', [v, s64([], [-1])], { exclusive: 1 })).toEqual([f32([3], [0, 1, 3])]);
    expect(evaluate('CumSum', [v, s32([], [0])], { reverse: 1 })).toEqual([f32([3], [6, 5, 3])]);
    expect(evaluate('CumSum', [ints(2n ** 60n, 1n), s64([], [0])])).toEqual([ints(2n ** 60n, 2n ** 60n + 1n)]);
    expect(() => infer('CumSum', [v, s64([], [1])])).toThrow(refused('E_MODEL'));
  });
});

describe('dtypes of indices', () => {
  it('are integers of 32 or 64 bits', () => {
    expect(() => infer('Gather', [matrix, u8([1], [0])])).toThrow(refused('E_MODEL'));
    expect(infer('Gather', [tensorOf('f16', [1], [1]), s32([1], [0])])[0]!.dtype).toBe('f16');
  });
});
