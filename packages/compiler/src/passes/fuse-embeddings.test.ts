import { describe, expect, it } from 'vitest';
import { expectSameOutputs, expectUnchanged, type GraphBuilder, graphOf, opsOf, reasonsOf, run } from '../__fixtures__/build-graph';
import { fuseEmbeddings } from './fuse-embeddings';

const [V, P, T, H] = [11, 9, 2, 4];
const ids = (b: GraphBuilder): string => b.input('ids', 's64', ['batch', 'seq']);
const types = (b: GraphBuilder): string => b.input('types', 's64', ['batch', 'seq']);
const words = (b: GraphBuilder, of = ids(b)): string => b.op('Gather', [b.weight([V, H], 1), of], { axis: 0 });
const typeRows = (b: GraphBuilder, of = types(b)): string => b.op('Gather', [b.weight([T, H], 3), of], { axis: 0 });
const length = (b: GraphBuilder): string => b.op('Shape', ['ids'], { start: 1, end: 2 });
const counted = (b: GraphBuilder, from = 0): string =>
  b.constant({ dtype: 's64', dims: [1, P], data: BigInt64Array.from({ length: P }, (_, i) => BigInt(i === 0 ? from : i)) });
const slicedIds = (b: GraphBuilder, stored = counted(b)): string => b.op('Slice', [stored, b.ints(0), length(b), b.ints(1), b.ints(1)]);
const positions = (b: GraphBuilder, at = slicedIds(b)): string => b.op('Gather', [b.weight([P, H], 2), at], { axis: 0 });
const add = (b: GraphBuilder, x: string, y: string): string => b.op('Add', [x, y]);

const spellings: [string, (b: GraphBuilder) => string, number][] = [
  ['words and sliced positions', (b) => add(b, words(b), positions(b)), 3],
  [
    'positions first',
    (b) => {
      const w = words(b);
      return add(b, positions(b), w);
    },
    3,
  ],
  ['words, types, positions', (b) => add(b, add(b, words(b), typeRows(b)), positions(b)), 5],
  ['words, positions, types', (b) => add(b, add(b, words(b), positions(b)), typeRows(b)), 5],
  [
    'types inside the right operand',
    (b) => {
      const w = words(b);
      return add(b, w, add(b, typeRows(b), positions(b)));
    },
    5,
  ],
  ['words and types without positions', (b) => add(b, words(b), typeRows(b)), 5],
  [
    'positions by Range',
    (b) => {
      const w = words(b);
      const n = b.op('Squeeze', [length(b), b.ints(0)]);
      return add(b, w, positions(b, b.op('Unsqueeze', [b.op('Range', [b.int(0), n, b.int(1)]), b.ints(0)])));
    },
    3,
  ],
  [
    'positions repeated for the batch',
    (b) => {
      const w = words(b);
      return add(b, w, positions(b, b.op('Expand', [slicedIds(b), b.op('Shape', ['ids'])])));
    },
    3,
  ],
  [
    'a slice of the position table',
    (b) => {
      const w = words(b);
      return add(b, w, b.op('Slice', [b.weight([1, P, H], 2), b.ints(0), length(b), b.ints(1)]));
    },
    3,
  ],
  [
    'types that are 0 throughout',
    (b) => {
      const w = words(b);
      const zeros = b.constant({ dtype: 's64', dims: [1, P], data: new BigInt64Array(P) });
      return add(b, add(b, w, typeRows(b, b.op('Expand', [slicedIds(b, zeros), b.op('Shape', ['ids'])]))), positions(b));
    },
    5,
  ],
];

describe('fuseEmbeddings', () => {
  it.each(spellings)('fuses %s', (_, build, inputs) => {
    const before = graphOf(build);
    const after = run(fuseEmbeddings, before);
    expect(opsOf(after).at(-1)).toBe('Embeddings');
    expect(opsOf(after)).not.toContain('Add');
    expect(after.nodes.at(-1)!.inputs).toHaveLength(inputs);
    expectSameOutputs(before, after);
  });

  it('takes constant rows when the sequence is fixed', () => {
    const before = graphOf((b) => add(b, words(b, b.input('ids', 's64', ['batch', 5])), b.weight([1, 5, H], 2)));
    const after = run(fuseEmbeddings, before);
    expect(opsOf(after)).toEqual(['Embeddings']);
    expectSameOutputs(before, after);
  });

  it('reorders the table where positions are not stored in order', () => {
    const before = graphOf((b) => add(b, words(b), positions(b, slicedIds(b, counted(b, 4)))));
    const after = run(fuseEmbeddings, before);
    expect(opsOf(after).at(-1)).toBe('Embeddings');
    expectSameOutputs(before, after);
  });

  it('takes the larger of two tables for the words', () => {
    const after = run(
      fuseEmbeddings,
      graphOf((b) => add(b, typeRows(b), words(b))),
    );
    expect(after.nodes[0]!.inputs[0]).toBe('ids');
  });

  it.each<[string, (b: GraphBuilder) => string, string[]]>([
    [
      'a sum with something else',
      (b) => add(b, words(b), b.input('other', 'f32', ['batch', 'seq', H])),
      ['a summand is neither a gather of rows nor rows by position'],
    ],
    [
      'positions of another length',
      (b) =>
        add(b, words(b), b.op('Slice', [b.weight([1, P, H], 2), b.ints(0), b.op('Shape', [b.input('other', 's64', ['seq2'])]), b.ints(1)])),
      ['the sum is not [batch, sequence, hidden]'],
    ],
    [
      'positions that start elsewhere',
      (b) => {
        const w = words(b);
        return add(b, w, positions(b, b.op('Slice', [counted(b), b.ints(1), b.op('Add', [length(b), b.ints(1)]), b.ints(1)])));
      },
      ['two gathers of rows take ids of different shapes'],
    ],
    [
      'a table that is computed',
      (b) => add(b, b.op('Gather', [b.input('table', 'f32', [V, H]), ids(b)]), typeRows(b)),
      ['a summand is neither a gather of rows nor rows by position'],
    ],
    ['sums without gathers', (b) => add(b, b.input('x', 'f32', [2, 3]), b.weight([2, 3])), []],
  ])('leaves %s alone', (_, build, reasons) => {
    const graph = graphOf(build);
    expectUnchanged(fuseEmbeddings, graph);
    expect(reasonsOf(fuseEmbeddings, graph)).toEqual(reasons);
  });

  it('does not reach through a sum that others read', () => {
    const graph = graphOf((b) => {
      const inner = add(b, words(b), positions(b));
      return [add(b, inner, typeRows(b)), b.op('Abs', [inner])];
    });
    const after = run(fuseEmbeddings, graph);
    expect(opsOf(after)).toContain('Embeddings');
    expect(opsOf(after)).toContain('Add');
    expectSameOutputs(graph, after);
  });
});
