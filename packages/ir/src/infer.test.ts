import { s64, type Tensor } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { Sketch } from './__fixtures__/sketch';
import type { Graph } from './graph';
import { inferShapes, shapeDataInputs } from './infer';

const scalar = (value: number): Tensor => ({ dtype: 's64', dims: [], data: BigInt64Array.of(BigInt(value)) });

/** [batch, seq, 768] split into 12 heads as PyTorch's exporter writes it. */
const splitHeads = (): Sketch =>
  new Sketch()
    .input('x', ['batch', 'seq', 768])
    .constant('zero', scalar(0))
    .constant('one', scalar(1))
    .constant('axis', s64([0]))
    .constant('heads', s64([12]))
    .constant('size', s64([64]))
    .node('Shape', ['x'], ['shape'])
    .node('Gather', ['shape', 'zero'], ['b'])
    .node('Gather', ['shape', 'one'], ['s'])
    .node('Unsqueeze', ['b', 'axis'], ['b1'])
    .node('Unsqueeze', ['s', 'axis'], ['s1'])
    .node('Concat', ['b1', 's1', 'heads', 'size'], ['target'], { axis: 0 })
    .node('Reshape', ['x', 'target'], ['split'])
    .node('Transpose', ['split'], ['q'], { perm: [0, 2, 1, 3] })
    .node('Transpose', ['split'], ['k'], { perm: [0, 2, 3, 1] })
    .node('MatMul', ['q', 'k'], ['scores']);

describe('with symbols', () => {
  it('follows Shape, Gather, Unsqueeze and Concat into Reshape', () => {
    const shapes = splitHeads().shapes();
    expect(shapes['split']).toEqual(['batch', 'seq', 12, 64]);
    expect(shapes['scores']).toEqual(['batch', 12, 'seq', 'seq']);
  });

  it('infers -1 by division of symbolic element counts', () => {
    const shapes = new Sketch()
      .input('x', ['batch', 'seq', 768])
      .constant('target', s64([0, -1, 12, 64]))
      .constant('flat', s64([-1, 768]))
      .node('Reshape', ['x', 'target'], ['y'])
      .node('Reshape', ['x', 'flat'], ['z'])
      .shapes();
    expect(shapes['y']).toEqual(['batch', 'seq', 12, 64]);
    expect(shapes['z']).toEqual(['batch*seq', 768]);
  });

  it('sees through the Where(shape == -1) that exporters put before Expand', () => {
    const shapes = new Sketch()
      .input('ids', ['batch', 'seq'], 's64')
      .constant('positions', { dtype: 's64', dims: [1, 512], data: new BigInt64Array(512) })
      .constant('minus', s64([-1]))
      .constant('two', s64([2]))
      .node('Shape', ['ids'], ['shape'])
      .node('ConstantOfShape', ['two'], ['ones'], { value: s64([1]) })
      .node('Mul', ['ones', 'minus'], ['minuses'])
      .node('Equal', ['shape', 'minuses'], ['unset'])
      .node('Where', ['unset', 'ones', 'shape'], ['target'])
      .constant('one', s64([1]))
      .constant('first', s64([0]))
      .node('Slice', ['shape', 'one', 'two'], ['length'])
      .node('Slice', ['positions', 'first', 'length', 'one'], ['used'])
      .node('Expand', ['used', 'target'], ['expanded'])
      .shapes();
    expect(shapes['used']).toEqual([1, 'seq']);
    expect(shapes['expanded']).toEqual(['batch', 'seq']);
  });

  it('broadcasts [batch, 1] with [1, seq]', () => {
    const shapes = new Sketch().input('a', ['batch', 1]).input('b', [1, 'seq']).node('Add', ['a', 'b'], ['c']).shapes();
    expect(shapes['c']).toEqual(['batch', 'seq']);
  });

  it('keeps a declared dim that cannot be inferred', () => {
    const sketch = new Sketch().input('a', ['n']).input('b', ['m']).node('Add', ['a', 'b'], ['c']);
    sketch.graph.value('c').shape = ['n'];
    expect(sketch.shapes()['c']).toEqual(['n']);
  });

  it('names node and operator when shapes do not fit', () => {
    const sketch = new Sketch().input('a', [2, 3]).input('b', [4, 5]).node('MatMul', ['a', 'b'], ['c']);
    expect(() => sketch.shapes()).toThrow('node "MatMul_0" (MatMul): inner dims of [2, 3] and [4, 5] differ');
    expect(() => sketch.shapes()).toThrow(expect.objectContaining({ code: 'E_SHAPE', where: 'MatMul_0' }));
  });
});

describe('with numbers', () => {
  it('makes every shape concrete and evaluates shape arithmetic', () => {
    const { graph } = splitHeads();
    const values = inferShapes(graph, { x: [2, 7, 768] });
    expect(values.get('scores')?.dims).toEqual([2, 12, 7, 7]);
    expect(values.get('target')?.constant).toEqual(s64([2, 7, 12, 64]));
    expect(graph.value('scores').shape).toBeUndefined();
  });

  it('takes a dim of 0', () => {
    expect(inferShapes(splitHeads().graph, { x: [0, 7, 768] }).get('scores')?.dims).toEqual([0, 12, 7, 7]);
  });

  it('uses the values of inputs that shapes depend on, and names those it lacks', () => {
    const { graph } = new Sketch().input('x', ['n']).input('shape', [2], 's64').node('Reshape', ['x', 'shape'], ['y']);
    expect(shapeDataInputs(graph)).toEqual(['shape']);
    const bindings = { x: [6], shape: [2] };
    expect(inferShapes(graph, bindings, new Map([['shape', s64([2, -1])]])).get('y')?.dims).toEqual([2, 3]);
    expect(() => inferShapes(graph, bindings)).toThrow(/the elements of input "shape" decide it/);
  });

  it('does not count an input whose shape alone is read', () => {
    expect(shapeDataInputs(splitHeads().graph)).toEqual([]);
  });

  const pair = (): Graph => new Sketch().input('a', ['batch', 4]).input('b', ['batch', 4]).node('Add', ['a', 'b'], ['c']).graph;
  it.each([
    ['a symbol with two values', { a: [2, 4], b: [3, 4] }, 'E_REQUEST', /"batch" is already 2/],
    ['another rank', { a: [2], b: [2, 4] }, 'E_REQUEST', /expected \[batch, 4\], got \[2\]/],
    ['another fixed dim', { a: [2, 5], b: [2, 4] }, 'E_REQUEST', /input "a": expected \[batch, 4\]/],
    ['a negative dim', { a: [-1, 4], b: [-1, 4] }, 'E_REQUEST', /input "a": -1/],
    ['a dim beyond all memory', { a: [2 ** 40, 4], b: [2 ** 40, 4] }, 'E_LIMIT', /above the limit/],
    ['more elements than can be counted', { a: [2 ** 52, 4], b: [2 ** 52, 4] }, 'E_SHAPE', /too many elements/],
    ['a missing input', { a: [2, 4] }, 'E_REQUEST', /input "b": its dims are missing/],
    ['an unknown input', { a: [2, 4], b: [2, 4], z: [1] }, 'E_REQUEST', /no such input/],
  ])('refuses %s', (_, bindings, code, message) => {
    expect(() => inferShapes(pair(), bindings as unknown as Record<string, number[]>)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  it('refuses a broadcast beyond all memory before anything is allocated', () => {
    const { graph } = new Sketch().input('a', ['n', 1]).input('b', [1, 'm']).node('Add', ['a', 'b'], ['c']);
    expect(() => inferShapes(graph, { a: [2 ** 20, 1], b: [1, 2 ** 20] })).toThrow(
      expect.objectContaining({ code: 'E_LIMIT', where: 'Add_0' }),
    );
  });
});
