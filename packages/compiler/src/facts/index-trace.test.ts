import { describe, expect, it } from 'vitest';
import { countingConstant, insertOnes, isInOrder, lastAxisParts } from './index-trace';

const s64 = (dims: number[], values: number[]) => ({ dtype: 's64', dims, data: BigInt64Array.from(values, BigInt) }) as const;

describe('countingConstant', () => {
  it.each([
    [[3], [0, 1, 2], { start: 0, length: 3, shape: [3] }],
    [[1, 3], [4, 5, 6], { start: 4, length: 3, shape: [1, 3] }],
    [[2, 3], [0, 1, 2, 0, 1, 2], { start: 0, length: 3, shape: [1, 3] }],
    [[2, 3], [0, 0, 0, 1, 1, 1], { start: 0, length: 2, shape: [2, 1] }],
    [[2, 1, 2], [0, 0, 1, 1], { start: 0, length: 2, shape: [2, 1, 1] }],
    [[2, 2], [7, 7, 7, 7], { start: 7, length: 1, shape: [1, 1] }],
    [[], [0], { start: 0, length: 1, shape: [] }],
    [[3], [0, 1, 3], undefined],
    [[2, 3], [0, 1, 2, 3, 4, 5], undefined],
    [[2, 2], [0, 1, 1, 0], undefined],
    [[0], [], undefined],
  ])('reads dims %j of %j as %j', (dims, values, fact) => expect(countingConstant(s64(dims, values))).toEqual(fact));
});

describe('index constants', () => {
  it('split pairs into their parts', () => {
    const parts = lastAxisParts(s64([2, 2], [0, 5, 1, 6]));
    expect(parts.map(({ dims, data }) => [dims, Array.from(data as Int32Array)])).toEqual([
      [[2], [0, 1]],
      [[2], [5, 6]],
    ]);
  });

  it('know when they stand in order', () => {
    expect(isInOrder(s64([2, 2], [0, 1, 2, 3]))).toBe(true);
    expect(isInOrder(s64([2, 2], [0, 2, 1, 3]))).toBe(false);
  });

  it.each([
    [
      ['a', 'b'],
      [1, 2],
      ['a', 1, 1, 'b'],
    ],
    [['a'], [-1], ['a', 1]],
    [[], [0], [1]],
  ])('insert ones into %j at %j', (shape, axes, out) => expect(insertOnes(shape, axes)).toEqual(out));
});
