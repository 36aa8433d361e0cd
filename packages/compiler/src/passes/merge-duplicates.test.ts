import { describe, expect, it } from 'vitest';
import { expectSameOutputs, expectUnchanged, graphOf, opsOf, run } from '../__fixtures__/build-graph';
import { mergeDuplicates } from './merge-duplicates';

describe('mergeDuplicates', () => {
  it('merges equal nodes over equal constants, one after the other', () => {
    const before = graphOf((b) => {
      const x = b.input('x', 'f32', [3]);
      const branch = (): string => b.op('Neg', [b.op('Mul', [x, b.scalar(2)])]);
      return b.op('Add', [branch(), branch()]);
    });
    const after = run(mergeDuplicates, before);
    expect(opsOf(after)).toEqual(['Mul', 'Neg', 'Add']);
    expectSameOutputs(before, after, { maxAbs: 0 });
  });

  it('merges nodes with several results', () => {
    const before = graphOf((b) => {
      const x = b.input('x', 'f32', [4]);
      const [a] = b.ops('Split', [x, b.ints(2, 2)], { axis: 0 }, 2);
      const [, d] = b.ops('Split', [x, b.ints(2, 2)], { axis: 0 }, 2);
      return b.op('Add', [a!, d!]);
    });
    const after = run(mergeDuplicates, before);
    expect(opsOf(after)).toEqual(['Split', 'Add']);
    expectSameOutputs(before, after);
  });

  it('keeps nodes that differ in an attribute, an operand or a constant', () => {
    expectUnchanged(
      mergeDuplicates,
      graphOf((b) => {
        const x = b.input('x', 'f32', [2, 3]);
        const y = b.input('y', 'f32', [2, 3]);
        return [
          b.op('Softmax', [x], { axis: 0 }),
          b.op('Softmax', [x], { axis: 1 }),
          b.op('Softmax', [y], { axis: 1 }),
          b.op('Add', [x, b.scalar(1)]),
          b.op('Add', [x, b.scalar(2)]),
          b.op('Add', [x, b.constant({ dtype: 'f32', dims: [1], data: Float32Array.of(1) })]),
        ];
      }),
    );
  });

  it('keeps a duplicate that is itself an output', () => {
    expectUnchanged(
      mergeDuplicates,
      graphOf((b) => {
        const x = b.input('x', 'f32', [2]);
        return [b.op('Abs', [x]), b.op('Abs', [x])];
      }),
    );
  });

  it('tells large constants apart by name only', () => {
    const graph = graphOf((b) => {
      const x = b.input('x', 'f32', [2000]);
      return b.op('Sub', [b.op('Mul', [x, b.weight([2000], 1)]), b.op('Mul', [x, b.weight([2000], 1)])]);
    });
    expect(opsOf(run(mergeDuplicates, graph))).toEqual(['Mul', 'Mul', 'Sub']);
  });
});
