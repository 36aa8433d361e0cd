import { describe, expect, it } from 'vitest';
import { expectSameOutputs, expectUnchanged, type GraphBuilder, graphOf, opsOf, run, runAll } from '../__fixtures__/build-graph';
import { integersOf } from '../facts/tensor-facts';
import {
  mergeBatchedTranspose,
  mergeReshapes,
  mergeTransposes,
  mergeUnsqueezes,
  reshapeDims,
  resolveReshape,
  writePermutation,
} from './canonicalize-layout';

const x3 = (b: GraphBuilder): string => b.input('x', 'f32', ['batch', 'seq', 8]);

describe('resolveReshape', () => {
  it('writes computed dims as constants and drops the arithmetic', () => {
    const before = graphOf((b) => {
      const shape = b.op('Shape', [x3(b)]);
      const at = (axis: number): string => b.op('Unsqueeze', [b.op('Gather', [shape, b.int(axis)]), b.ints(0)]);
      return b.op('Reshape', ['x', b.op('Concat', [at(0), at(1), b.ints(2), b.ints(4)], { axis: 0 })]);
    });
    const after = run(resolveReshape, before);
    expect(opsOf(after)).toEqual(['Reshape']);
    expect(integersOf(after.constant(after.nodes[0]!.inputs[1]))).toEqual([0, 0, 2, 4]);
    expectSameOutputs(before, after);
  });

  it('leaves dims that are not understood', () => {
    expectUnchanged(
      resolveReshape,
      graphOf((b) => b.op('Reshape', [b.input('x', 'f32', ['batch', 8]), b.input('dims', 's64', [3])])),
    );
  });

  it.each([
    [
      ['batch', 'seq', 32],
      ['batch', 'seq', 2, 16],
      [0, 0, 2, 16],
    ],
    [
      ['batch', 'seq', 32],
      ['batch*seq', 32],
      [-1, 32],
    ],
    [
      ['batch', 2, 'seq'],
      ['batch', 'seq', 2],
      [0, -1, 2],
    ],
    [['batch', 'seq'], ['seq', 'batch'], undefined],
    [[2, 0], [0, 2], undefined],
    [[2, 3], [6], [6]],
  ] as const)('turns %j into %j by %j', (from, to, dims) => expect(reshapeDims(from, to)).toEqual(dims));
});

describe('mergeReshapes', () => {
  it.each<[string, (b: GraphBuilder) => string]>([
    ['Reshape', (b) => b.op('Reshape', [x3(b), b.ints(0, 0, 2, 4)])],
    ['Unsqueeze', (b) => b.op('Unsqueeze', [x3(b), b.ints(1)])],
    ['Flatten', (b) => b.op('Flatten', [x3(b)], { axis: 2 })],
    ['Squeeze', (b) => b.op('Squeeze', [b.input('x', 'f32', ['batch', 'seq', 1, 8]), b.ints(2)])],
  ])('swallows a %s before it', (_, build) => {
    const before = graphOf((b) => b.op('Reshape', [build(b), b.ints(-1, 4)]));
    const after = run(mergeReshapes, before);
    expect(opsOf(after)).toEqual(['Reshape']);
    expectSameOutputs(before, after, { maxAbs: 0 });
  });

  it('keeps the first where others read it', () => {
    const before = graphOf((b) => {
      const first = b.op('Reshape', [x3(b), b.ints(0, 0, 2, 4)]);
      return [b.op('Reshape', [first, b.ints(-1, 8)]), b.op('Abs', [first])];
    });
    const after = run(mergeReshapes, before);
    expect(opsOf(after)).toEqual(['Reshape', 'Reshape', 'Abs']);
    expectSameOutputs(before, after, { maxAbs: 0 });
  });
});

describe('transposes', () => {
  it('merges two in a row', () => {
    const before = graphOf((b) =>
      b.op('Transpose', [b.op('Transpose', [b.input('x', 'f32', [2, 3, 4, 5])], { perm: [0, 2, 1, 3] })], { perm: [0, 1, 3, 2] }),
    );
    const after = run(mergeTransposes, before);
    expect(after.nodes.map((node) => node.attributes)).toEqual([{ perm: [0, 2, 3, 1] }]);
    expectSameOutputs(before, after, { maxAbs: 0 });
  });

  it('writes out a reversal', () => {
    const after = run(
      writePermutation,
      graphOf((b) => b.op('Transpose', [b.input('x', 'f32', [2, 3, 4])])),
    );
    expect(after.nodes[0]!.attributes).toEqual({ perm: [2, 1, 0] });
  });

  it('sees an exchange of the last axes through flattened batches', () => {
    const before = graphOf((b) => {
      const split = b.op('Transpose', [b.op('Reshape', [x3(b), b.ints(0, 0, 2, 4)])], { perm: [0, 2, 1, 3] });
      const shape = b.op('Shape', [split]);
      const part = (start: number, end: number): string => b.op('Slice', [shape, b.ints(start), b.ints(end)]);
      const flat = b.op('Reshape', [split, b.op('Concat', [b.ints(-1), part(2, 3), part(3, 4)], { axis: 0 })]);
      const turned = b.op('Transpose', [flat], { perm: [0, 2, 1] });
      return b.op('Reshape', [turned, b.op('Concat', [part(0, 2), part(3, 4), part(2, 3)], { axis: 0 })]);
    });
    const after = runAll([mergeBatchedTranspose, mergeTransposes], before);
    expect(opsOf(after)).toEqual(['Reshape', 'Transpose']);
    expect(after.nodes[1]!.attributes).toEqual({ perm: [0, 2, 3, 1] });
    expectSameOutputs(before, after, { maxAbs: 0 });
  });

  it('leaves Reshapes around a transpose that mean something else', () => {
    const graph = graphOf((b) => {
      const turned = b.op('Transpose', [b.op('Reshape', [b.input('x', 'f32', [2, 3, 4]), b.ints(3, 2, 4)])], { perm: [0, 2, 1] });
      return b.op('Reshape', [turned, b.ints(2, 4, 3)]);
    });
    expectUnchanged(mergeBatchedTranspose, graph);
  });
});

describe('mergeUnsqueezes', () => {
  it.each([
    [[1], [2]],
    [[0], [0]],
    [[-1], [1]],
    [
      [1, 2],
      [0, 3],
    ],
    [[0], [-1]],
  ])('merges axes %j and then %j', (first, second) => {
    const before = graphOf((b) =>
      b.op('Unsqueeze', [b.op('Unsqueeze', [b.input('x', 'f32', ['batch', 3]), b.ints(...first)]), b.ints(...second)]),
    );
    const after = run(mergeUnsqueezes, before);
    expect(opsOf(after)).toEqual(['Unsqueeze']);
    expectSameOutputs(before, after, { maxAbs: 0 });
  });
});
