import { describe, expect, it } from 'vitest';
import { f32, Sketch, s64 } from './__fixtures__/sketch';
import { evaluateGraph } from './evaluate-graph';

describe('evaluateGraph', () => {
  const { graph } = new Sketch()
    .input('x', ['n', 2])
    .constant('w', f32([2, 2], [1, 2, 3, 4]))
    .constant('axis', s64([1], [1]))
    .node('MatMul', ['x', 'w'], ['h'])
    .node('ReduceSum', ['h', 'axis'], ['y'], { keepdims: 0 })
    .output('y');

  it('gives every value by name', () => {
    const values = evaluateGraph(graph, { x: f32([1, 2], [1, 10]) });
    expect(values.get('h')).toEqual(f32([1, 2], [31, 42]));
    expect(values.get('y')).toEqual(f32([1], [73]));
  });

  it('names the input that is missing', () => {
    expect(() => evaluateGraph(graph, {})).toThrow(expect.objectContaining({ code: 'E_REQUEST', where: 'x' }));
  });

  it('names the node that its input does not fit', () => {
    expect(() => evaluateGraph(graph, { x: f32([1, 3], [1, 2, 3]) })).toThrow(
      expect.objectContaining({ code: 'E_SHAPE', where: 'MatMul_0' }),
    );
  });
});
