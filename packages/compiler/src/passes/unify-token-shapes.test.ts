import type { DType, Shape } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { expectUnchanged, graphOf, run } from '../__fixtures__/build-graph';
import { emptyContext, type PassEvent, PassLog } from '../rewrite';
import { unifyTokenShapes } from './unify-token-shapes';

const withInputs = (inputs: Record<string, [DType, Shape | undefined]>) =>
  graphOf((b) => Object.entries(inputs).map(([name, [dtype, shape]]) => b.op('Abs', [b.input(name, dtype, shape)])));

describe('unifyTokenShapes', () => {
  it('gives token inputs the names of the first, and infers with them', () => {
    const after = run(
      unifyTokenShapes,
      withInputs({ input_ids: ['s64', ['unk__1', 'unk__2']], attention_mask: ['s64', ['unk__3', 'unk__4']] }),
    );
    expect(after.value('attention_mask').shape).toEqual(['unk__1', 'unk__2']);
    expect(after.value(after.outputs[1]!).shape).toEqual(['unk__1', 'unk__2']);
  });

  it('names what has no name, and prefers numbers', () => {
    const after = run(unifyTokenShapes, withInputs({ input_ids: ['s32', [null, null]], token_type_ids: ['s32', [null, 128]] }));
    expect(after.inputs.map((name) => after.value(name).shape)).toEqual([
      ['batch', 128],
      ['batch', 128],
    ]);
  });

  it('tells what it takes for granted', () => {
    const events: PassEvent[] = [];
    const graph = withInputs({ ids: ['s64', ['a', 'b']], mask: ['s64', ['c', 'd']] });
    unifyTokenShapes.run(graph, { ...emptyContext(), log: new PassLog('unify-token-shapes', (event) => events.push(event)) });
    expect(events).toMatchObject([{ kind: 'note', message: '"ids", "mask" are taken to be [a, b] together' }]);
  });

  it.each<[string, Record<string, [DType, Shape | undefined]>]>([
    ['inputs that agree', { ids: ['s64', ['batch', 'seq']], mask: ['s64', ['batch', 'seq']] }],
    ['inputs of other ranks', { ids: ['s64', ['a']], mask: ['s64', ['b', 1, 1, 'c']] }],
    ['inputs of other names', { embedded: ['f32', ['a', 'b']], other: ['f32', ['c', 'd']] }],
    ['queries and passages', { query_ids: ['s64', ['batch', 'query']], passage_ids: ['s64', ['batch', 'passage']] }],
    ['batches of two sizes', { ids: ['s64', ['images', 'seq']], mask: ['s64', ['texts', 'seq']] }],
    ['numbers that differ', { ids: ['s64', [1, 'a']], mask: ['s64', [2, 'b']] }],
  ])('leaves %s alone', (_, inputs) => expectUnchanged(unifyTokenShapes, withInputs(inputs)));
});
