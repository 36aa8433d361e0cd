import { describe, expect, it } from 'vitest';
import { expectSameOutputs, expectUnchanged, type GraphBuilder, graphOf, opsOf, reasonsOf, run } from '../__fixtures__/build-graph';
import { emptyContext, type PassEvent, PassLog } from '../rewrite';
import { fuseAttention } from './fuse-attention';

const [HEADS, SIZE] = [2, 4];
const H = HEADS * SIZE;

interface Options {
  readonly scale?: 'none' | 'product' | 'divide' | 'query' | 'before' | 'both' | 'key';
  readonly mask?: string;
  readonly guard?: boolean;
  readonly softmaxAxis?: number;
  readonly merge?: readonly number[];
  readonly heads?: number;
  readonly keys?: string;
}

function attention(b: GraphBuilder, options: Options = {}): string {
  const { scale = 'product', mask, guard = false, softmaxAxis = -1, merge = [0, 0, H], heads = HEADS, keys = 'seq' } = options;
  const [q0, k, v] = ['q', 'k', 'v'].map((name) => b.input(name, 'f32', ['batch', name === 'q' ? 'seq' : keys, H])) as [
    string,
    string,
    string,
  ];
  const q = scale === 'before' ? b.op('Mul', [q0, b.scalar(0.5)]) : q0;
  const split = (x: string, perm: number[]): string => b.op('Transpose', [b.op('Reshape', [x, b.ints(0, 0, heads, -1)])], { perm });
  let query = split(q, [0, 2, 1, 3]);
  let key = split(k, [0, 2, 3, 1]);
  if (scale === 'query') query = b.op('Div', [query, b.scalar(2)]);
  if (scale === 'both') {
    query = b.op('Mul', [query, b.scalar(Math.SQRT1_2)]);
    key = b.op('Mul', [b.scalar(Math.SQRT1_2), key]);
  }
  if (scale === 'key') key = b.op('Mul', [key, b.scalar(0.5)]);
  let scores = b.op('MatMul', [query, key]);
  if (scale === 'product') scores = b.op('Mul', [scores, b.scalar(0.5)]);
  if (scale === 'divide') scores = b.op('Div', [scores, b.scalar(2)]);
  if (mask) scores = b.op('Add', [scores, mask]);
  let probabilities = b.op('Softmax', [scores], { axis: softmaxAxis });
  if (guard) probabilities = b.op('Where', [b.op('IsNaN', [probabilities]), b.scalar(0), probabilities]);
  const context = b.op('MatMul', [probabilities, split(v, [0, 2, 1, 3])]);
  return b.op('Reshape', [b.op('Transpose', [context], { perm: [0, 2, 1, 3] }), b.ints(...merge)]);
}

const spellings: [string, (b: GraphBuilder) => string, number][] = [
  ['no scale', (b) => attention(b, { scale: 'none' }), 1],
  ['a factor on the product', (b) => attention(b, { scale: 'product' }), 0.5],
  ['a divisor on the product', (b) => attention(b, { scale: 'divide' }), 0.5],
  ['the scale on the split queries', (b) => attention(b, { scale: 'query' }), 0.5],
  ['the scale on the queries before the split', (b) => attention(b, { scale: 'before' }), 0.5],
  ['its root on queries and keys', (b) => attention(b, { scale: 'both' }), 0.5],
  ['the scale on the keys', (b) => attention(b, { scale: 'key' }), 0.5],
  ['a guard against NaN', (b) => attention(b, { guard: true }), 0.5],
  ['the axis by its number', (b) => attention(b, { softmaxAxis: 3 }), 0.5],
  ['a key mask', (b) => attention(b, { mask: b.input('m', 'f32', ['batch', 1, 1, 'seq']) }), 0.5],
  ['a full mask', (b) => attention(b, { mask: b.input('m', 'f32', ['batch', HEADS, 'seq', 'seq']) }), 0.5],
  ['a causal mask without batch', (b) => attention(b, { mask: b.input('m', 'f32', ['seq', 'seq']) }), 0.5],
];

describe('fuseAttention', () => {
  it.each(spellings)('fuses %s', (_, build, scale) => {
    const before = graphOf(build);
    const after = run(fuseAttention, before);
    expect(opsOf(after)).toEqual(['Attention']);
    expect(after.nodes[0]!.attributes['heads']).toBe(HEADS);
    expect(after.nodes[0]!.attributes['scale']).toBeCloseTo(scale, 6);
    expectSameOutputs(before, after, { maxAbs: 1e-6 });
  });

  it('reads the heads from the reshapes, not from the width', () => {
    const before = graphOf((b) => attention(b, { heads: 4 }));
    const after = run(fuseAttention, before);
    expect(after.nodes[0]!.attributes['heads']).toBe(4);
    expectSameOutputs(before, after);
  });

  it('keeps a result that is flattened to rows', () => {
    const before = graphOf((b) => attention(b, { merge: [-1, H] }));
    const after = run(fuseAttention, before);
    expect(opsOf(after)).toEqual(['Attention', 'Reshape']);
    expectSameOutputs(before, after);
  });

  const guarded = (b: GraphBuilder, additive: string): string => attention(b, { guard: true, mask: additive });

  it('keeps a guard behind the attention where a mask may empty whole rows', () => {
    const before = graphOf((b) => {
      const keep = b.input('mask', 'bool', ['batch', 1, 'seq', 'seq']);
      return guarded(b, b.op('Where', [keep, b.scalar(0), b.scalar(Number.NEGATIVE_INFINITY)]));
    });
    const after = run(fuseAttention, before);
    expect(opsOf(after)).toEqual(['Where', 'Attention', 'IsNaN', 'Where']);
    expectSameOutputs(before, after);
  });

  it('drops the guard behind a PaddingMask', () => {
    const before = graphOf((b) => guarded(b, b.op('PaddingMask', [b.input('mask', 's64', ['batch', 'seq'])], { value: -1e38 })));
    const after = run(fuseAttention, before);
    expect(opsOf(after)).toEqual(['PaddingMask', 'Attention']);
    expectSameOutputs(before, after);
  });

  it('keeps a mask that several layers share', () => {
    const graph = graphOf((b) => {
      const mask = b.op('Mul', [b.input('m', 'f32', ['batch', 1, 1, 'seq']), b.scalar(-1)]);
      return [attention(b, { mask }), b.op('Abs', [mask])];
    });
    expect(opsOf(run(fuseAttention, graph))).toEqual(['Mul', 'Attention', 'Abs']);
  });

  it.each([
    ['keys of another length', { keys: 'keys' }, 'q, k and v differ in shape'],
    ['a softmax over the queries', { softmaxAxis: 2 }, 'the softmax is not over the keys'],
  ] as const)('declines %s', (_, options, reason) => {
    const graph = graphOf((b) => attention(b, options));
    expectUnchanged(fuseAttention, graph);
    expect(reasonsOf(fuseAttention, graph)).toEqual([reason]);
  });

  it('declines a mask that grows the scores', () => {
    const graph = graphOf((b) => attention(b, { mask: b.input('m', 'f32', [7, 1, 1, 'seq']) }));
    expect(reasonsOf(fuseAttention, graph)).toEqual(['the mask does not broadcast to batch × heads × queries × keys']);
  });

  it('leaves attention alone whose probabilities are an output', () => {
    const graph = graphOf((b) => [attention(b), b.graph.nodes.find((node) => node.op === 'Softmax')!.outputs[0]!]);
    expectUnchanged(fuseAttention, graph);
    expect(reasonsOf(fuseAttention, graph)).toEqual([expect.stringMatching(/^"Softmax_\d+" inside the match is a graph output$/)]);
  });

  it('moves the ranges of scaled operands to its inputs', () => {
    const graph = graphOf((b) => attention(b, { scale: 'query' }));
    const context = emptyContext();
    const named = (op: string, nth: number): string => graph.nodes.filter((node) => node.op === op)[nth]!.outputs[0]!;
    context.ranges.set(named('Div', 0), { min: -1, max: 2 });
    context.ranges.set(named('Transpose', 1), { min: -3, max: 3 });
    context.ranges.set(named('Transpose', 2), { min: -4, max: 5 });
    context.ranges.set(named('Softmax', 0), { min: 0, max: 0.25 });
    const after = fuseAttention.run(graph, context);
    expect(['q', 'k', 'v'].map((name) => context.ranges.get(name))).toEqual([
      { min: -2, max: 4 },
      { min: -3, max: 3 },
      { min: -4, max: 5 },
    ]);
    expect([...context.attentions]).toEqual(after.outputs);
    expect(after.nodes.at(-1)!.attributes['probability_max']).toBe(0.25);
  });

  it.each([
    [['q', 'k', 'v'], 'the probabilities have no range'],
    [['q', 'v', 'Softmax'], 'only q and v of q, k and v have a range'],
  ])('keeps its products in f32 where only %j have ranges', (names, reason) => {
    const graph = graphOf((b) => attention(b, { scale: 'none' }));
    const reasons: string[] = [];
    const explain = (event: PassEvent): unknown => event.kind === 'declined' && reasons.push(event.reason);
    const context = { ...emptyContext(), log: new PassLog('fuse-attention', explain) };
    for (const name of names) context.ranges.set(graph.nodes.find(({ op }) => op === name)?.outputs[0] ?? name, { min: 0, max: 1 });
    expect(opsOf(fuseAttention.run(graph, context))).toEqual(['Attention']);
    expect(context.attentions.size).toBe(0);
    expect(reasons).toEqual([`stays in f32: ${reason}`]);
  });
});
