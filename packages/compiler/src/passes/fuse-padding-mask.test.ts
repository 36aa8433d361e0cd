import { describe, expect, it } from 'vitest';
import { expectSameOutputs, expectUnchanged, type GraphBuilder, graphOf, opsOf, reasonsOf, run } from '../__fixtures__/build-graph';
import { fusePaddingMask } from './fuse-padding-mask';

const LOW = -3.4028234663852886e38;
const scores = (b: GraphBuilder): string =>
  b.graph.values.has('scores') ? 'scores' : b.input('scores', 'f32', ['batch', 2, 'seq', 'seq']);
const mask = (b: GraphBuilder): string => b.input('mask', 's64', ['batch', 'seq']);
const toKeys = (b: GraphBuilder, x: string): string => b.op('Unsqueeze', [x, b.ints(1, 2)]);
const softmax = (b: GraphBuilder, x: string): string => b.op('Softmax', [x], { axis: -1 });
const add = (b: GraphBuilder, additive: string): string => softmax(b, b.op('Add', [scores(b), additive]));
const bool = (b: GraphBuilder, x: string): string => b.op('Cast', [x], { to: 'bool' });
const float = (b: GraphBuilder, x: string): string => b.op('Cast', [x], { to: 'f32' });
const dim = (b: GraphBuilder, of: string, axis: number): string => b.op('Gather', [b.op('Shape', [of]), b.int(axis)]);
const count = (b: GraphBuilder, n: string): string => b.op('Range', [b.int(0), n, b.int(1)]);

/** mask[b, k] as TorchScript writes it: b · S + k into the flattened mask. */
function gatherFlat(b: GraphBuilder): string {
  const m = bool(b, mask(b));
  const rows = b.op('Unsqueeze', [count(b, dim(b, m, 0)), b.ints(1, 2, 3)]);
  const keys = b.op('Unsqueeze', [count(b, dim(b, m, 1)), b.ints(0, 1, 2)]);
  const width = b.op('Gather', [b.op('Shape', [m]), b.ints(1)]);
  const at = b.op('Add', [keys, b.op('Mul', [rows, width])]);
  const picked = b.op('Gather', [b.op('Flatten', [m], { axis: 2 }), at], { axis: 0 });
  return b.op('Reshape', [picked, b.op('Shape', [at])]);
}

/** mask[b, k] as the newer exporter writes it: a gather by pairs. */
function gatherPairs(b: GraphBuilder): string {
  const m = bool(b, mask(b));
  const rows = b.op('Unsqueeze', [count(b, dim(b, m, 0)), b.ints(1, 2, 3)]);
  const keys = b.op('Unsqueeze', [count(b, dim(b, m, 1)), b.ints(0, 1, 2)]);
  const shape = b.op('Shape', [b.op('Max', [rows, keys])]);
  const pair = [rows, keys].map((index) => b.op('Unsqueeze', [b.op('Expand', [index, shape]), b.ints(-1)]));
  return b.op('GatherND', [m, b.op('Concat', pair, { axis: -1 })]);
}

/** True for every query, as exporters leave it of a causal mask that is none. */
function allQueries(b: GraphBuilder): string {
  const queries = b.op('Unsqueeze', [count(b, dim(b, scores(b), 2)), b.ints(0, 1, 3)]);
  const yes = b.op('ConstantOfShape', [b.constant({ dtype: 's64', dims: [0], data: new BigInt64Array() })], {
    value: { dtype: 'bool', dims: [1], data: Uint8Array.of(1) },
  });
  return b.op('And', [yes, b.op('GreaterOrEqual', [queries, b.int(0)])]);
}

const spellings: [string, (b: GraphBuilder) => string, number][] = [
  ['(1 − mask) · min', (b) => add(b, b.op('Mul', [b.op('Sub', [b.scalar(1), float(b, toKeys(b, mask(b)))]), b.scalar(LOW)])), LOW],
  [
    '(1 − mask) · −10000, cast first',
    (b) => add(b, b.op('Mul', [b.op('Sub', [b.scalar(1), toKeys(b, float(b, mask(b)))]), b.scalar(-10000)])),
    -10000,
  ],
  ['(mask − 1) · 10000', (b) => add(b, b.op('Mul', [b.op('Sub', [float(b, toKeys(b, mask(b))), b.scalar(1)]), b.scalar(10000)])), -10000],
  ['Where(mask, 0, min)', (b) => add(b, b.op('Where', [toKeys(b, bool(b, mask(b))), b.scalar(0), b.scalar(LOW)])), LOW],
  ['Where(not mask, min, 0)', (b) => add(b, b.op('Where', [b.op('Not', [toKeys(b, bool(b, mask(b)))]), b.scalar(LOW), b.scalar(0)])), LOW],
  [
    'Where(mask = 0, min, 0)',
    (b) => add(b, b.op('Where', [b.op('Equal', [toKeys(b, mask(b)), b.int(0)]), b.scalar(LOW), b.scalar(0)])),
    LOW,
  ],
  [
    'a filled inversion',
    (b) => {
      const inverted = b.op('Sub', [b.scalar(1), float(b, toKeys(b, mask(b)))]);
      return add(b, b.op('Where', [bool(b, inverted), b.scalar(LOW), inverted]));
    },
    LOW,
  ],
  [
    'mask · 10000 − 10000',
    (b) => add(b, b.op('Sub', [b.op('Mul', [float(b, toKeys(b, mask(b))), b.scalar(10000)]), b.scalar(10000)])),
    -10000,
  ],
  ['a bool mask', (b) => add(b, b.op('Where', [toKeys(b, b.input('mask', 'bool', ['batch', 'seq'])), b.scalar(0), b.scalar(LOW)])), LOW],
  [
    'a mask repeated over queries',
    (b) => add(b, b.op('Where', [b.op('And', [allQueries(b), toKeys(b, bool(b, mask(b)))]), b.scalar(0), b.scalar(LOW)])),
    LOW,
  ],
  [
    'Where(mask = 0, min, scores)',
    (b) => {
      const s = scores(b);
      const dropped = b.op('Expand', [toKeys(b, b.op('Equal', [mask(b), b.int(0)])), b.op('Shape', [s])]);
      return softmax(b, b.op('Where', [dropped, b.scalar(LOW), s]));
    },
    LOW,
  ],
  ['Where(mask, scores, min)', (b) => softmax(b, b.op('Where', [toKeys(b, bool(b, mask(b))), scores(b), b.scalar(LOW)])), LOW],
  ['a gather from the flattened mask', (b) => add(b, b.op('Where', [gatherFlat(b), b.scalar(0), b.scalar(LOW)])), LOW],
  ['a gather by pairs', (b) => add(b, b.op('Where', [gatherPairs(b), b.scalar(0), b.scalar(LOW)])), LOW],
  [
    'a gather, and all queries',
    (b) => {
      const picked = gatherPairs(b);
      return add(b, b.op('Where', [b.op('And', [allQueries(b), picked]), b.scalar(0), b.scalar(LOW)]));
    },
    LOW,
  ],
];

describe('fusePaddingMask', () => {
  it.each(spellings)('recognises %s', (_, build, value) => {
    const before = graphOf(build);
    const after = run(fusePaddingMask, before);
    expect(opsOf(after)).toEqual(['PaddingMask', 'Add', 'Softmax']);
    expect(after.nodes[0]).toMatchObject({ inputs: ['mask'], attributes: { value } });
    expectSameOutputs(before, after);
  });

  it('makes −∞ finite, so that a row without tokens is not NaN', () => {
    const graph = graphOf((b) => add(b, b.op('Where', [toKeys(b, bool(b, mask(b))), b.scalar(0), b.scalar(Number.NEGATIVE_INFINITY)])));
    expect(run(fusePaddingMask, graph).nodes[0]!.attributes).toEqual({ value: LOW });
  });

  it('makes one mask for all layers', () => {
    const before = graphOf((b) => {
      const s = scores(b);
      const m = mask(b);
      const layer = (): string => softmax(b, b.op('Where', [b.op('Equal', [toKeys(b, m), b.int(0)]), b.scalar(LOW), s]));
      return [layer(), layer()];
    });
    const after = run(fusePaddingMask, before);
    expect(opsOf(after)).toEqual(['PaddingMask', 'Add', 'Softmax', 'Add', 'Softmax']);
    expectSameOutputs(before, after);
  });

  it.each<[string, (b: GraphBuilder) => string, string[]]>([
    [
      'a mask that adds to tokens',
      (b) => add(b, b.op('Mul', [float(b, toKeys(b, mask(b))), b.scalar(-10000)])),
      ['the mask adds -10000 to tokens and 0 to padding'],
    ],
    [
      'a fill that is not low enough',
      (b) => softmax(b, b.op('Where', [b.op('Equal', [toKeys(b, mask(b)), b.int(0)]), b.scalar(-100), scores(b)])),
      ['a fill of -100 is not low enough to be added instead'],
    ],
    [
      'a fill of the tokens',
      (b) => softmax(b, b.op('Where', [toKeys(b, bool(b, mask(b))), b.scalar(LOW), scores(b)])),
      ['the condition does not choose the padding'],
    ],
    [
      'a mask over queries',
      (b) => add(b, b.op('Where', [b.op('Unsqueeze', [bool(b, mask(b)), b.ints(1, 3)]), b.scalar(0), b.scalar(LOW)])),
      ['the mask is not laid out as [batch, 1, 1, sequence]'],
    ],
    [
      'a float mask by arithmetic',
      (b) => add(b, b.op('Mul', [b.op('Sub', [b.scalar(1), toKeys(b, b.input('mask', 'f32', ['batch', 'seq']))]), b.scalar(LOW)])),
      ['a float mask may hold values between 0 and 1'],
    ],
    [
      'two masks at once',
      (b) => {
        const both = b.op('Mul', [float(b, toKeys(b, mask(b))), float(b, toKeys(b, b.input('other_mask', 's64', ['batch', 'seq'])))]);
        return add(b, b.op('Mul', [b.op('Sub', [b.scalar(1), both]), b.scalar(LOW)]));
      },
      [],
    ],
    [
      'a causal mask',
      (b) => {
        const n = dim(b, scores(b), 3);
        const causal = b.op('GreaterOrEqual', [b.op('Unsqueeze', [count(b, n), b.ints(1)]), b.op('Unsqueeze', [count(b, n), b.ints(0)])]);
        return softmax(b, b.op('Add', ['scores', b.op('Where', [causal, b.scalar(0), b.scalar(LOW)])]));
      },
      ['the mask is not laid out as [batch, 1, 1, sequence]'],
    ],
  ])('leaves %s alone', (_, build, reasons) => {
    const graph = graphOf(build);
    expectUnchanged(fusePaddingMask, graph);
    expect(reasonsOf(fusePaddingMask, graph)).toEqual(reasons);
  });

  it('takes a float mask that is only compared with 0', () => {
    const before = graphOf((b) =>
      add(
        b,
        b.op('Where', [b.op('Equal', [toKeys(b, b.input('mask', 'f32', ['batch', 'seq'])), b.scalar(0)]), b.scalar(LOW), b.scalar(0)]),
      ),
    );
    expect(opsOf(run(fusePaddingMask, before))).toEqual(['PaddingMask', 'Add', 'Softmax']);
  });

  it('does not confuse gathers by positions that start elsewhere', () => {
    const graph = graphOf((b) => {
      const m = bool(b, mask(b));
      const rows = b.op('Unsqueeze', [count(b, dim(b, m, 0)), b.ints(1, 2, 3)]);
      const shifted = b.op('Range', [b.int(-1), b.op('Sub', [dim(b, m, 1), b.int(1)]), b.int(1)]);
      const shape = b.op('Concat', [b.op('Shape', [m], { end: 1 }), b.ints(1, 1), b.op('Shape', [m], { start: 1 })], { axis: 0 });
      const pair = [rows, b.op('Unsqueeze', [shifted, b.ints(0, 1, 2)])].map((i) =>
        b.op('Unsqueeze', [b.op('Expand', [i, shape]), b.ints(-1)]),
      );
      return add(b, b.op('Where', [b.op('GatherND', [m, b.op('Concat', pair, { axis: -1 })]), b.scalar(0), b.scalar(LOW)]));
    });
    expectUnchanged(fusePaddingMask, graph);
  });
});
