import { expect, it } from 'vitest';
import { expectSameOutputs, expectUnchanged, graphOf, opsOf, run } from '../__fixtures__/build-graph';
import { eliminateDeadCode } from './eliminate-dead-code';

it('drops chains that end nowhere, and their constants', () => {
  const before = graphOf((b) => {
    const x = b.input('x', 'f32', [2]);
    b.op('Neg', [b.op('Add', [x, b.scalar(1)])]);
    return b.op('Abs', [x]);
  });
  const after = run(eliminateDeadCode, before);
  expect(opsOf(after)).toEqual(['Abs']);
  expect([...after.values.keys()]).toEqual(['x', after.outputs[0]]);
  expectSameOutputs(before, after);
});

it('drops a constant that nobody reads', () => {
  const graph = graphOf((b) => {
    b.scalar(3);
    return b.op('Abs', [b.input('x', 'f32', [2])]);
  });
  expect(run(eliminateDeadCode, graph).values.size).toBe(2);
});

it('keeps inputs that nobody reads, and nodes of which one result is read', () => {
  expectUnchanged(
    eliminateDeadCode,
    graphOf((b) => {
      b.input('unused', 'f32', [1]);
      return b.ops('Split', [b.input('x', 'f32', [4]), b.ints(2, 2)], { axis: 0 }, 2)[1]!;
    }),
  );
});
