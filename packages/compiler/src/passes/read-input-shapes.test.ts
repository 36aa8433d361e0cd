import { describe, expect, it } from 'vitest';
import { expectSameOutputs, expectUnchanged, graphOf, opsOf, run } from '../__fixtures__/build-graph';
import { readInputShapes } from './read-input-shapes';

describe('readInputShapes', () => {
  it.each<[string, { start?: number; end?: number }, [string, object][]]>([
    ['all dims', {}, [['Shape', { start: 0, end: 2 }]]],
    ['the first dims', { end: 2 }, [['Shape', { start: 0, end: 2 }]]],
    ['a dim in the middle', { start: -2, end: -1 }, [['Shape', { start: 1, end: 2 }]]],
  ])('asks an input for %s', (_, attributes, shapes) => {
    const before = graphOf((b) => {
      const ids = b.input('ids', 's64', ['batch', 'seq']);
      return b.op('Shape', [b.op('Gather', [b.weight([2, 6]), ids])], attributes);
    });
    const after = run(readInputShapes, before);
    expect(after.nodes.filter(({ op }) => op === 'Shape').map(({ op, inputs, attributes }) => [op, inputs, attributes])).toEqual(
      shapes.map(([op, attributes]) => [op, ['ids'], attributes]),
    );
    expectSameOutputs(before, after, { maxAbs: 0 });
  });

  it('puts dims of several inputs and numbers together', () => {
    const before = graphOf((b) => {
      const x = b.input('x', 'f32', ['seq', 4]);
      const scores = b.op('MatMul', [b.input('y', 'f32', ['batch', 3, 5, 4]), b.op('Transpose', [x], { perm: [1, 0] })]);
      return b.op('Shape', [scores]);
    });
    const after = run(readInputShapes, before);
    expect(opsOf(after).filter((op) => op === 'Shape' || op === 'Concat')).toEqual(['Shape', 'Shape', 'Concat']);
    expectSameOutputs(before, after, { maxAbs: 0 });
  });

  it('leaves dims alone that no input has', () => {
    expectUnchanged(
      readInputShapes,
      graphOf((b) => b.op('Shape', [b.op('Reshape', [b.input('x', 'f32', ['batch', 'seq', 4]), b.ints(-1, 4)])])),
    );
    expectUnchanged(
      readInputShapes,
      graphOf((b) => b.op('Shape', [b.input('x', 'f32', ['batch', 'seq'])])),
    );
  });
});
