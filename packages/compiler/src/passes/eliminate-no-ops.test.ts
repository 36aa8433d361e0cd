import { describe, expect, it } from 'vitest';
import { expectSameOutputs, expectUnchanged, type GraphBuilder, graphOf, opsOf, run } from '../__fixtures__/build-graph';
import { eliminateNoOps } from './eliminate-no-ops';

const x = (b: GraphBuilder): string => b.op('Abs', [b.input('x', 'f32', ['batch', 3])]);

describe('eliminateNoOps', () => {
  it.each<[string, (b: GraphBuilder, x: string) => string]>([
    ['Identity', (b, x) => b.op('Identity', [x])],
    ['a cast to the same dtype', (b, x) => b.op('Cast', [x], { to: 'f32' })],
    ['a reshape to the same shape', (b, x) => b.op('Reshape', [x, b.ints(0, 3)])],
    ['an expansion to the same shape', (b, x) => b.op('Expand', [x, b.ints(1, 3)])],
    ['a transpose that keeps the order', (b, x) => b.op('Transpose', [x], { perm: [0, 1] })],
    ['a concatenation of one', (b, x) => b.op('Concat', [x], { axis: 0 })],
    ['a slice of everything', (b, x) => b.op('Slice', [x, b.ints(0), b.ints(3), b.ints(1), b.ints(1)])],
    ['a sum with 0', (b, x) => b.op('Add', [x, b.scalar(0)])],
    ['a difference with 0', (b, x) => b.op('Sub', [x, b.scalar(0)])],
    ['a product by 1', (b, x) => b.op('Mul', [x, b.constant({ dtype: 'f32', dims: [3], data: Float32Array.of(1, 1, 1) })])],
    ['a quotient by 1', (b, x) => b.op('Div', [x, b.scalar(1)])],
    ['a power of 1', (b, x) => b.op('Pow', [x, b.scalar(1)])],
  ])('removes %s', (_, build) => {
    const before = graphOf((b) => b.op('Neg', [build(b, x(b))]));
    const after = run(eliminateNoOps, before);
    expect(opsOf(after)).toEqual(['Abs', 'Neg']);
    expectSameOutputs(before, after, { maxAbs: 0 });
  });

  it('removes chains, and gives an output its name', () => {
    const before = graphOf((b) => b.op('Identity', [b.op('Identity', [b.op('Identity', [x(b)])])]));
    const after = run(eliminateNoOps, before);
    expect(opsOf(after)).toEqual(['Abs']);
    expect(after.outputs).toEqual(before.outputs);
    expectSameOutputs(before, after);
  });

  it.each<[string, (b: GraphBuilder) => string | string[]]>([
    ['an input passed to an output', (b) => b.op('Identity', [b.input('x', 'f32', [2])])],
    [
      'a value that is two outputs',
      (b) => {
        const y = x(b);
        return [y, b.op('Identity', [y])];
      },
    ],
    [
      'a sum with 0 that repeats',
      (b) => b.op('Abs', [b.op('Add', [b.input('x', 'f32', [1]), b.constant({ dtype: 'f32', dims: [4], data: new Float32Array(4) })])]),
    ],
    ['a slice backwards', (b) => b.op('Abs', [b.op('Slice', [b.input('x', 'f32', [3]), b.ints(-1), b.ints(-9), b.ints(0), b.ints(-1)])])],
    ['a transpose', (b) => b.op('Transpose', [b.input('x', 'f32', [3, 3])], { perm: [1, 0] })],
    ['a cast', (b) => b.op('Cast', [b.input('x', 'f32', [3])], { to: 's32' })],
  ])('keeps %s', (_, build) => expectUnchanged(eliminateNoOps, graphOf(build)));
});
