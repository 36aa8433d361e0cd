import { toF16 } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { expectSameOutputs, expectUnchanged, graphOf, opsOf, reasonsOf, run } from '../__fixtures__/build-graph';
import { foldConstants, foldDequantized } from './fold-constants';

describe('foldConstants', () => {
  it('computes what depends on constants only', () => {
    const before = graphOf((b) => b.op('Mul', [b.input('x', 'f32', [2]), b.op('Sqrt', [b.op('Add', [b.scalar(3), b.scalar(1)])])]));
    const after = run(foldConstants, before);
    expect(opsOf(after)).toEqual(['Mul']);
    expect(after.constant(after.nodes[0]!.inputs[1])!.data[0]).toBe(2);
    expectSameOutputs(before, after, { maxAbs: 0 });
  });

  it('widens stored f16 weights', () => {
    const bits = Uint16Array.from([1, -2, 0.5, 65504], (value) => toF16(value));
    const after = run(
      foldConstants,
      graphOf((b) =>
        b.op('Add', [b.input('x', 'f32', [4]), b.op('Cast', [b.constant({ dtype: 'f16', dims: [4], data: bits })], { to: 'f32' })]),
      ),
    );
    expect(after.constant(after.nodes[0]!.inputs[1])).toEqual({ dtype: 'f32', dims: [4], data: Float32Array.of(1, -2, 0.5, 65504) });
  });

  it('computes shape arithmetic over known dims', () => {
    const before = graphOf((b) => {
      const x = b.input('x', 'f32', ['batch', 4]);
      const width = b.op('Gather', [b.op('Shape', [x]), b.ints(1)]);
      return b.op('Reshape', [x, b.op('Concat', [b.ints(-1), b.op('Div', [width, b.ints(2)])], { axis: 0 })]);
    });
    const after = run(foldConstants, before);
    expect(opsOf(after)).toEqual(['Reshape']);
    expectSameOutputs(before, after);
  });

  it('leaves shape arithmetic over symbols', () => {
    expectUnchanged(
      foldConstants,
      graphOf((b) => b.op('Shape', [b.op('Abs', [b.input('x', 'f32', ['batch', 4])])])),
    );
  });

  it('leaves a constant that is an output', () => {
    expectUnchanged(
      foldConstants,
      graphOf((b) => b.op('Neg', [b.scalar(1)])),
    );
  });

  it('leaves a small constant that would grow above the limit, and says so', () => {
    const graph = graphOf((b) => b.op('Add', [b.input('x', 'f32', [1]), b.op('Expand', [b.scalar(1), b.ints(5000, 5000)])]));
    expectUnchanged(foldConstants, graph);
    expect(reasonsOf(foldConstants, graph)).toEqual(['the result has 100000000 bytes, above the limit of 67108864']);
  });

  it('leaves products of constants that would take too long', () => {
    const graph = graphOf((b) => {
      const square = (): string => b.constant({ dtype: 'f32', dims: [2048, 2048], data: new Float32Array(2048 * 2048) });
      return b.op('Add', [b.input('x', 'f32', [1]), b.op('MatMul', [square(), square()])]);
    });
    expectUnchanged(foldConstants, graph);
    expect(reasonsOf(foldConstants, graph)).toEqual([expect.stringContaining('multiplications are above the limit')]);
  });

  it('keeps the integers of quantised weights, which foldDequantized then makes f32', () => {
    const before = graphOf((b) => {
      const codes = b.constant({ dtype: 's8', dims: [2, 2], data: Int8Array.of(1, 2, 3, 4) });
      return b.op('MatMul', [b.input('x', 'f32', [1, 2]), b.op('DequantizeLinear', [codes, b.scalar(0.5)])]);
    });
    expectUnchanged(foldConstants, before);
    const after = run(foldDequantized, before);
    expect(opsOf(after)).toEqual(['MatMul']);
    expectSameOutputs(before, after, { maxAbs: 0 });
  });
});
