import { describe, expect, it } from 'vitest';
import { addDims, broadcastShapes, dimProduct, divideDims, multiplyDims, subtractDims, unifyDims } from './dims';

describe('arithmetic on symbols', () => {
  it.each([
    [addDims('seq', 1), 'seq+1'],
    [addDims('seq', 0), 'seq'],
    [addDims('seq', 'seq'), '2*seq'],
    [addDims('b', 'a'), 'a+b'],
    [addDims('seq+1', -1), 'seq'],
    [subtractDims('seq', 2), 'seq-2'],
    [subtractDims('seq', 'seq'), 0],
    [subtractDims(3, 'seq'), '-seq+3'],
    [subtractDims('seq+3', 'seq'), 3],
    [multiplyDims('seq', 'batch'), 'batch*seq'],
    [multiplyDims('batch', 'seq'), 'batch*seq'],
    [multiplyDims('seq', 12), '12*seq'],
    [multiplyDims('seq+1', 'seq'), 'seq+seq*seq'],
    [multiplyDims('seq', 0), 0],
    [multiplyDims(null, 0), 0],
    [multiplyDims(null, 2), null],
    [divideDims('12*seq', 12), 'seq'],
    [divideDims('768*batch*seq', '12*batch'), '64*seq'],
    [divideDims('seq', 2), null],
    [divideDims('seq', 'batch'), null],
    [divideDims('seq', 'seq'), 1],
    [divideDims(7, 2), null],
    [divideDims('seq', 0), null],
    [dimProduct(['batch', 'seq', 12]), '12*batch*seq'],
    [dimProduct([null, 0]), 0],
    [dimProduct([]), 1],
  ])('case %#: %s is %s', (got, want) => expect(got).toEqual(want));

  it('takes symbols that are no expressions as they are', () => {
    expect(multiplyDims('batch size', 2)).toBe('2*batch size');
    expect(divideDims(multiplyDims('batch size', 2), 2)).toBeNull();
    expect(subtractDims('batch size', 'batch size')).toBe(0);
  });

  it('gives up on expressions that grow, and on numbers beyond the exact ones', () => {
    let dim = multiplyDims('a+b', 'c+d');
    for (let i = 0; i < 6; i++) dim = multiplyDims(dim, `x${i}+y${i}`);
    expect(dim).toBeNull();
    expect(addDims('s'.repeat(200), 't')).toBeNull();
    expect(multiplyDims(2 ** 40, 2 ** 40)).toBeNull();
    expect(multiplyDims(`${2 ** 50}*s`, 2 ** 20)).toBeNull();
  });
});

describe('broadcastShapes', () => {
  it.each([
    [
      ['batch', 1],
      [1, 'seq'],
      ['batch', 'seq'],
    ],
    [[3, 1], [4], [3, 4]],
    [[], [2, 3], [2, 3]],
    [['n'], [5], [5]],
    [['n'], ['m'], [null]],
    [['n'], ['n'], ['n']],
    [[0], [1], [0]],
    [[null], [1], [null]],
    [[null], [4], [4]],
    [[2], [3], undefined],
    [[0], [2], undefined],
  ])('%j and %j give %j', (a, b, want) => {
    expect(broadcastShapes(a, b)).toEqual(want);
    expect(broadcastShapes(b, a)).toEqual(want);
  });
});

describe('unifyDims', () => {
  it.each([
    [2, 2, 2],
    [2, 3, undefined],
    ['n', 2, 2],
    [null, 'n', 'n'],
    ['n', 'm', 'n'],
    [null, null, null],
  ])('%s and %s are %s', (a, b, want) => expect(unifyDims(a, b)).toBe(want));
});
