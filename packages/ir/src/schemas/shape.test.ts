import type { Shape } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { evaluate, f32, infer, of, rounded, s32, s64, shapes, u8 } from '../__fixtures__/sketch';
import type { Attributes } from '../graph';

const iota = (...dims: number[]) =>
  f32(
    dims,
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => i),
  );
const ints = (...values: number[]) => s64([values.length], values);
const refused = (code: string, text?: string) => expect.objectContaining({ code, ...(text && { message: expect.stringContaining(text) }) });

describe('Shape and Size', () => {
  it('give symbols as elements', () => {
    expect(infer('Shape', [['batch', 128, null]])).toEqual([{ dtype: 's64', shape: [3], elements: ['batch', 128, null] }]);
    expect(infer('Shape', [['batch', 128]], { start: -1 })[0]!.constant).toEqual(ints(128));
    expect(infer('Shape', [['batch', 128]], { end: 1 })[0]!.elements).toEqual(['batch']);
    expect(infer('Shape', [of('f32', undefined)])).toEqual([{ dtype: 's64', shape: [null] }]);
    expect(infer('Size', [['batch', 4]])[0]!.elements).toEqual(['4*batch']);
  });

  it('are computed', () => {
    expect(evaluate('Shape', [iota(2, 3)])).toEqual([ints(2, 3)]);
    expect(evaluate('Shape', [iota(2, 3)], { start: 5 })).toEqual([ints()]);
    expect(evaluate('Size', [iota(2, 3)])).toEqual([s64([], [6])]);
  });
});

describe('Reshape', () => {
  it.each<[string, Shape, number[], Shape]>([
    ['infers −1', [2, 3, 4], [-1, 4], [6, 4]],
    ['copies with 0', ['batch', 'seq', 768], [0, 0, 12, 64], ['batch', 'seq', 12, 64]],
    ['divides symbols', ['batch', 'seq', 768], [0, -1, 64], ['batch', '12*seq', 64]],
    ['flattens', ['batch', 4], [-1], ['4*batch']],
    ['makes scalars', [1, 1], [], []],
    ['takes empty tensors', [0, 3], [3, 0], [3, 0]],
    ['takes empty tensors among huge dims', [0, 2 ** 40, 2 ** 40], [0], [0]],
  ])('%s', (_, shape, target, want) => {
    expect(shapes('Reshape', [shape, ints(...target)], target.length === 2 && shape[0] === 0 ? { allowzero: 1 } : {})).toEqual([want]);
  });

  it.each<[string, Shape, number[], string, Attributes?]>([
    ['two −1', [6], [-1, -1], 'E_SHAPE'],
    ['another count', [6], [4, 2], 'E_SHAPE'],
    ['a count that does not divide', [6], [4, -1], 'E_SHAPE'],
    ['a negative dim', [6], [-2, 3], 'E_SHAPE'],
    ['a copied dim that is not there', [6], [6, 0], 'E_SHAPE'],
    ['−1 of an empty tensor', [0, 3], [0, -1], 'E_SHAPE'],
    ['−1 and 0 with allowzero', [0, 3], [0, -1], 'E_SHAPE', { allowzero: 1 }],
  ])('refuses %s', (_, shape, target, code, attributes = {}) => {
    expect(() => infer('Reshape', [shape, ints(...target)], attributes)).toThrow(refused(code));
  });

  it('knows the rank when it does not know the target', () => {
    expect(shapes('Reshape', [['n'], of('s64', [3])])).toEqual([[null, null, null]]);
    expect(shapes('Reshape', [['n'], of('s64', [null])])).toEqual([undefined]);
  });

  it('keeps the elements', () => expect(evaluate('Reshape', [iota(2, 3), ints(3, 2)])).toEqual([iota(3, 2)]));

  it('does not go beyond 16 dims', () => {
    expect(() => infer('Reshape', [[1], ints(...new Array(17).fill(1))])).toThrow(refused('E_LIMIT'));
  });
});

describe('other dims for the same elements', () => {
  it.each<[string, Shape, number[] | undefined, Attributes, Shape | undefined]>([
    ['Squeeze', [1, 'n', 1], [0], {}, ['n', 1]],
    ['Squeeze', [1, 'n', 1], [-1, 0], {}, ['n']],
    ['Squeeze', [1, 3, 1], undefined, {}, [3]],
    ['Squeeze', [1, 'n'], undefined, {}, undefined],
    ['Unsqueeze', ['n'], [0, 2], {}, [1, 'n', 1]],
    ['Unsqueeze', ['n'], [-1], {}, ['n', 1]],
    ['Unsqueeze', [], [0], {}, [1]],
    ['Flatten', ['n', 3, 4], undefined, {}, ['n', 12]],
    ['Flatten', ['n', 3, 4], undefined, { axis: 0 }, [1, '12*n']],
    ['Flatten', ['n', 3, 4], undefined, { axis: 3 }, ['12*n', 1]],
    ['Flatten', ['n', 3, 4], undefined, { axis: -1 }, ['3*n', 4]],
    ['Flatten', [], undefined, { axis: 0 }, [1, 1]],
  ])('%s of %j by %j %j is %j', (op, shape, axes, attributes, want) => {
    expect(shapes(op, axes ? [shape, ints(...axes)] : [shape], attributes)).toEqual([want]);
  });

  it.each<[string, Shape, number[], string]>([
    ['Squeeze', [2, 1], [0], 'E_SHAPE'],
    ['Squeeze', [1, 1], [0, -2], 'E_MODEL'],
    ['Squeeze', [1], [1], 'E_MODEL'],
    ['Unsqueeze', [1], [0, 0], 'E_MODEL'],
    ['Unsqueeze', [1], [-3], 'E_MODEL'],
  ])('%s of %j by %j is refused', (op, shape, axes, code) => {
    expect(() => infer(op, [shape, ints(...axes)])).toThrow(refused(code));
  });
});

describe('Expand and Tile', () => {
  it('broadcast and repeat', () => {
    expect(evaluate('Expand', [f32([2, 1], [1, 2]), ints(2, 1, 2)])).toEqual([f32([2, 2, 2], [1, 1, 2, 2, 1, 1, 2, 2])]);
    expect(evaluate('Tile', [f32([2, 2], [1, 2, 3, 4]), ints(1, 2)])).toEqual([f32([2, 4], [1, 2, 1, 2, 3, 4, 3, 4])]);
    expect(evaluate('Tile', [f32([1, 2], [1, 2]), ints(2, 0)])).toEqual([f32([2, 0], [])]);
    expect(shapes('Expand', [[1, 3], { dtype: 's64', shape: [2], elements: ['batch', 1] }])).toEqual([['batch', 3]]);
    expect(shapes('Tile', [['n', 3], ints(2, 4)])).toEqual([['2*n', 12]]);
  });

  it.each<[string, Shape, number[], string]>([
    ['Expand', [2], [3], 'E_SHAPE'],
    ['Expand', [1], [-1], 'E_SHAPE'],
    ['Expand', [1], [2 ** 40], 'E_LIMIT'],
    ['Expand', [1, 1], [2 ** 32, 2 ** 32], 'E_SHAPE'],
    ['Tile', [2], [2, 2], 'E_SHAPE'],
    ['Tile', [2], [-1], 'E_SHAPE'],
    ['Tile', [2], [2 ** 40], 'E_LIMIT'],
  ])('%s of %j by %j is refused', (op, shape, target, code) => {
    expect(() => infer(op, [shape, ints(...target)])).toThrow(refused(code));
  });

  it('a result above the limit of folding is refused before anything is allocated', () => {
    expect(() => evaluate('Expand', [f32([1], [1]), ints(2 ** 25)])).toThrow(refused('E_LIMIT', '134217728 bytes'));
  });
});

describe('Transpose', () => {
  it('reverses, or permutes', () => {
    expect(rounded(evaluate('Transpose', [iota(2, 3)])[0]!)).toEqual([0, 3, 1, 4, 2, 5]);
    expect(rounded(evaluate('Transpose', [iota(2, 2, 2)], { perm: [1, 0, 2] })[0]!)).toEqual([0, 1, 4, 5, 2, 3, 6, 7]);
    expect(shapes('Transpose', [['b', 's', 12, 64]], { perm: [0, 2, 1, 3] })).toEqual([['b', 12, 's', 64]]);
  });

  it.each([[[0]], [[0, 0]], [[0, 2]], [[-1, 0]]])('refuses perm %j', (perm) => {
    expect(() => infer('Transpose', [[2, 3]], { perm })).toThrow(refused('E_MODEL'));
  });
});

describe('Concat and Split', () => {
  it('join and part', () => {
    expect(evaluate('Concat', [f32([2, 1], [1, 2]), f32([2, 2], [3, 4, 5, 6])], { axis: 1 })).toEqual([f32([2, 3], [1, 3, 4, 2, 5, 6])]);
    expect(evaluate('Split', [iota(2, 3), ints(1, 2)], { axis: 1 }, 2)).toEqual([f32([2, 1], [0, 3]), f32([2, 2], [1, 2, 4, 5])]);
    expect(evaluate('Split', [iota(5)], { num_outputs: 2 }, 2)).toEqual([f32([3], [0, 1, 2]), f32([2], [3, 4])]);
  });

  it('follow symbols', () => {
    expect(
      shapes(
        'Concat',
        [
          ['b', 'n'],
          ['b', 'm'],
        ],
        { axis: -1 },
      ),
    ).toEqual([['b', 'm+n']]);
    expect(
      shapes(
        'Concat',
        [
          ['b', 2],
          [3, 'n'],
        ],
        { axis: 1 },
      ),
    ).toEqual([[3, 'n+2']]);
    expect(shapes('Split', [['b', 's', 2]], { axis: -1, num_outputs: 2 }, 2)).toEqual([
      ['b', 's', 1],
      ['b', 's', 1],
    ]);
    expect(infer('Split', [{ dtype: 's64', shape: [2], elements: ['b', 's'] }], { num_outputs: 2 }, 2)[1]!.elements).toEqual(['s']);
    const [joined] = infer('Concat', [{ dtype: 's64', shape: [1], elements: ['b'] }, of('s64', [1]), ints(3)], { axis: 0 });
    expect(joined!.elements).toEqual(['b', null, 3]);
  });

  it('refuse what does not fit', () => {
    expect(() =>
      infer(
        'Concat',
        [
          [2, 3],
          [3, 3],
        ],
        { axis: 1 },
      ),
    ).toThrow(refused('E_SHAPE'));
    expect(() => infer('Concat', [[2, 3], [2]], { axis: 0 })).toThrow(refused('E_SHAPE'));
    expect(() => infer('Concat', [[2], [2]], { axis: 1 })).toThrow(refused('E_MODEL'));
    expect(() => infer('Concat', [[2], [2]])).toThrow(refused('E_MODEL', '"axis" is missing'));
    expect(() => infer('Split', [[5], ints(2, 2)], {}, 2)).toThrow(refused('E_SHAPE'));
    expect(() => infer('Split', [[5], ints(7, -2)], {}, 2)).toThrow(refused('E_SHAPE'));
    expect(() => infer('Split', [[5], ints(5)], {}, 2)).toThrow(refused('E_MODEL'));
  });
});

describe('Slice', () => {
  const slice = (shape: Shape, starts: number[], ends: number[], axes?: number[], steps?: number[]) =>
    shapes('Slice', [shape, ints(...starts), ints(...ends), axes && ints(...axes), steps && ints(...steps)])[0];

  it.each<[Shape, number[], number[], number[] | undefined, number[] | undefined, Shape]>([
    [[10], [2], [5], undefined, undefined, [3]],
    [[10], [-3], [2 ** 40], undefined, undefined, [3]],
    [[10], [9], [0], [0], [-2], [5]],
    [[10], [-1], [-1000], [0], [-1], [10]],
    [[10], [5], [2], undefined, undefined, [0]],
    [[10], [20], [30], undefined, undefined, [0]],
    [[3, 4], [1], [2], [-1], undefined, [3, 1]],
    [['n', 4], [1], [2 ** 40], [0], undefined, ['n-1', 4]],
    [['n', 4], [0], [-1], [0], undefined, ['n-1', 4]],
    [['n', 4], [-2], [2 ** 40], [0], undefined, [2, 4]],
    [['n', 4], [0], [2 ** 40], [0], [2], [null, 4]],
    [['n'], [-1], [-(2 ** 40)], [0], [-1], ['n']],
  ])('%j from %j to %j, axes %j, steps %j, is %j', (shape, starts, ends, axes, steps, want) => {
    expect(slice(shape, starts, ends, axes, steps)).toEqual(want);
  });

  it('takes elements forwards and backwards', () => {
    expect(evaluate('Slice', [iota(3, 4), ints(0, 3), ints(3, -9), ints(0, 1), ints(2, -2)])).toEqual([f32([2, 2], [3, 1, 11, 9])]);
    const max = 2n ** 63n - 1n;
    expect(evaluate('Slice', [iota(4), ints(1), s64([1], [max])])).toEqual([f32([3], [1, 2, 3])]);
    expect(evaluate('Slice', [iota(3), ints(2), s64([1], [-max]), ints(0), ints(-1)])).toEqual([f32([3], [2, 1, 0])]);
  });

  it('keeps axes that are not cut while bounds are unknown', () => {
    expect(shapes('Slice', [['n', 4], of('s64', [1]), of('s64', [1]), ints(0)])).toEqual([[null, 4]]);
  });

  it.each<[string, number[], number[], number[] | undefined, number[] | undefined]>([
    ['a step of 0', [0], [1], [0], [0]],
    ['an axis out of range', [0], [1], [2], undefined],
    ['an axis twice', [0, 0], [1, 1], [0, -2], undefined],
    ['counts that differ', [0, 1], [1], undefined, undefined],
  ])('refuses %s', (_, starts, ends, axes, steps) => {
    expect(() => slice([2, 3], starts, ends, axes, steps)).toThrow(refused('E_MODEL'));
  });
});

describe('Pad', () => {
  const pad = (mode: string, ...pads: number[]) => rounded(evaluate('Pad', [f32([3], [1, 2, 3]), ints(...pads)], { mode })[0]!);
  it.each<[string, number[], number[]]>([
    ['constant', [1, 2], [0, 1, 2, 3, 0, 0]],
    ['constant', [-1, 1], [2, 3, 0]],
    ['edge', [2, 1], [1, 1, 1, 2, 3, 3]],
    ['reflect', [2, 1], [3, 2, 1, 2, 3, 2]],
    ['wrap', [2, 1], [2, 3, 1, 2, 3, 1]],
  ])('%s by %j is %j', (mode, pads, want) => expect(pad(mode, ...pads)).toEqual(want));

  it('pads named axes with a value', () => {
    expect(evaluate('Pad', [f32([1, 2], [1, 2]), ints(1, 0), f32([], [9]), ints(-1)])).toEqual([f32([1, 3], [9, 1, 2])]);
    expect(shapes('Pad', [['n', 2], ints(1, 0, 1, 3)])).toEqual([['n+2', 5]]);
  });

  it('refuses pads that leave less than nothing', () => {
    expect(() => infer('Pad', [[3], ints(-2, -2)])).toThrow(refused('E_SHAPE'));
    expect(() => infer('Pad', [[3], ints(1)])).toThrow(refused('E_MODEL'));
    expect(() => infer('Pad', [[0], ints(1, 0)], { mode: 'edge' })).toThrow(refused('E_SHAPE'));
  });
});

describe('DepthToSpace and SpaceToDepth', () => {
  it('undo each other', () => {
    const x = iota(1, 8, 2, 3);
    const [deep] = evaluate('SpaceToDepth', evaluate('DepthToSpace', [x], { blocksize: 2 }), { blocksize: 2 });
    expect(deep).toEqual(x);
    expect(rounded(evaluate('DepthToSpace', [iota(1, 4, 1, 1)], { blocksize: 2 })[0]!)).toEqual([0, 1, 2, 3]);
    expect(rounded(evaluate('DepthToSpace', [iota(1, 8, 1, 1)], { blocksize: 2, mode: 'CRD' })[0]!)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(rounded(evaluate('DepthToSpace', [iota(1, 8, 1, 1)], { blocksize: 2 })[0]!)).toEqual([0, 2, 4, 6, 1, 3, 5, 7]);
  });

  it.each([0, -1])('refuse a block of %d', (blocksize) => {
    expect(() => infer('DepthToSpace', [[1, 4, 2, 2]], { blocksize })).toThrow(refused('E_MODEL'));
    expect(() => infer('SpaceToDepth', [[1, 4, 2, 2]], { blocksize })).toThrow(refused('E_MODEL'));
  });
});

describe('tensors made from little', () => {
  it('ConstantOfShape fills', () => {
    expect(evaluate('ConstantOfShape', [ints(2, 2)])).toEqual([f32([2, 2], [0, 0, 0, 0])]);
    expect(evaluate('ConstantOfShape', [ints(2)], { value: s64([1], [7]) })).toEqual([ints(7, 7)]);
    expect(evaluate('ConstantOfShape', [ints()])).toEqual([f32([], [0])]);
    expect(() => infer('ConstantOfShape', [ints(2 ** 40)])).toThrow(refused('E_LIMIT'));
    expect(() => infer('ConstantOfShape', [ints(-1)])).toThrow(refused('E_SHAPE'));
    expect(() => infer('ConstantOfShape', [ints(1)], { value: f32([2], [1, 2]) })).toThrow(refused('E_MODEL'));
  });

  it('Range counts', () => {
    expect(evaluate('Range', [s64([], [1]), s64([], [8]), s64([], [3])])).toEqual([ints(1, 4, 7)]);
    expect(evaluate('Range', [f32([], [1]), f32([], [0]), f32([], [-0.5])])).toEqual([f32([2], [1, 0.5])]);
    expect(evaluate('Range', [s32([], [3]), s32([], [1]), s32([], [1])])).toEqual([s32([0], [])]);
    const seq = { dtype: 's64' as const, shape: [], elements: ['seq'] };
    expect(shapes('Range', [s64([], [0]), seq, s64([], [1])])).toEqual([['seq']]);
    expect(shapes('Range', [s64([], [1]), seq, s64([], [1])])).toEqual([[null]]);
    expect(() => infer('Range', [s64([], [0]), s64([], [1]), s64([], [0])])).toThrow(refused('E_MODEL'));
    expect(() => infer('Range', [s64([], [0]), s64([], [2n ** 40n]), s64([], [1])])).toThrow(refused('E_LIMIT'));
    expect(() => infer('Range', [f32([], [0]), f32([], [Number.NaN]), f32([], [1])])).toThrow(refused('E_SHAPE'));
  });

  it('EyeLike and Trilu', () => {
    expect(evaluate('EyeLike', [u8([2, 3], [0, 0, 0, 0, 0, 0])], { k: 1, dtype: 's64' })).toEqual([s64([2, 3], [0, 1, 0, 0, 0, 1])]);
    expect(rounded(evaluate('Trilu', [f32([2, 3], [1, 2, 3, 4, 5, 6])])[0]!)).toEqual([1, 2, 3, 0, 5, 6]);
    expect(rounded(evaluate('Trilu', [f32([2, 3], [1, 2, 3, 4, 5, 6]), s64([], [-1])], { upper: 0 })[0]!)).toEqual([0, 0, 0, 4, 0, 0]);
  });
});
