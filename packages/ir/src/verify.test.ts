import { describe, expect, it } from 'vitest';
import { Graph } from './graph';
import { verifyGraph } from './verify';

/** y = relu(x) + b, with the value in between. */
function small(): Graph {
  const graph = new Graph('small');
  graph.addValue({ name: 'x', dtype: 'f32', shape: ['n', 4] });
  graph.addValue({ name: 'b', dtype: 'f32', shape: [4], constant: { dtype: 'f32', dims: [4], data: new Float32Array(4) } });
  graph.addValue({ name: 'h', dtype: 'f32', shape: ['n', 4] });
  graph.addValue({ name: 'y', dtype: 'f32', shape: undefined });
  graph.nodes.push(
    { name: 'act', op: 'Relu', inputs: ['x'], outputs: ['h'], attributes: {} },
    { name: 'add', op: 'Add', inputs: ['h', 'b'], outputs: ['y'], attributes: {} },
  );
  graph.inputs = ['x'];
  graph.outputs = ['y'];
  return graph;
}

describe('verifyGraph', () => {
  it('accepts a whole graph', () => expect(() => verifyGraph(small())).not.toThrow());

  const faults: readonly (readonly [string, (graph: Graph) => void, string])[] = [
    ['nodes out of order', (g) => g.nodes.reverse(), 'node "add" (Add): input "h" is not made by any earlier node'],
    ['a cycle', (g) => (g.nodes[0]!.inputs = ['y']), 'node "act" (Relu): input "y" is not made by any earlier node'],
    ['an input nobody knows', (g) => (g.nodes[1]!.inputs[1] = 'z'), 'node "add" (Add): input "z" is no value of the graph'],
    ['two nodes that make one value', (g) => (g.nodes[1]!.outputs = ['h']), 'node "add" (Add): output "h" is already'],
    ['two nodes of one name', (g) => Object.assign(g.nodes[1]!, { name: 'act' }), 'two nodes are named "act"'],
    ['an output nobody makes', (g) => g.outputs.push('b2'), 'output "b2" is not made by any node'],
    ['a missing operand', (g) => g.nodes[1]!.inputs.pop(), 'node "add" (Add): input "B" is missing'],
    ['an operand too many', (g) => g.nodes[0]!.inputs.push('b'), 'node "act" (Relu): it has 2 inputs; the operator has 1'],
    ['operands of two dtypes', (g) => (g.value('h').dtype = 's64'), 'output "h" is s64; the operator gives f32'],
    ['an attribute nobody knows', (g) => (g.nodes[0]!.attributes = { alpha: 1 }), 'node "act" (Relu): it has no attribute "alpha"'],
    ['an attribute from the prototype', (g) => (g.nodes[0]!.attributes = { toString: 1 }), 'it has no attribute "toString"'],
    ['a shape the operator does not give', (g) => (g.value('h').shape = ['n', 5]), 'output "h" is [n, 5]; the operator gives [n, 4]'],
    ['a constant of another shape', (g) => (g.value('b').shape = [5]), 'constant "b" is [4], its value [5]'],
    ['an input that is a constant', (g) => g.inputs.push('b'), 'input "b" is a constant'],
    ['an input listed twice', (g) => g.inputs.push('x'), 'input "x" is listed twice'],
    ['an output listed twice', (g) => g.outputs.push('y'), 'an output is listed twice'],
  ];
  it.each(faults)('rejects %s', (_, spoil, message) => {
    const graph = small();
    spoil(graph);
    expect(() => verifyGraph(graph)).toThrow(expect.objectContaining({ code: 'E_INTERNAL', message: expect.stringContaining(message) }));
  });

  it('lists all operators that the engine lacks', () => {
    const graph = small();
    Object.assign(graph.nodes[0]!, { op: 'Frobnicate' });
    Object.assign(graph.nodes[1]!, { op: 'Conv' });
    expect(() => verifyGraph(graph)).toThrow(
      expect.objectContaining({ code: 'E_UNSUPPORTED', message: expect.stringMatching(/"act" \(Frobnicate\), node "add" \(Conv\)/) }),
    );
  });

  it('blames whom the caller says', () => {
    const graph = small();
    graph.outputs.push('b2');
    expect(() => verifyGraph(graph, { code: 'E_MODEL', stage: 'import' })).toThrow(
      expect.objectContaining({ code: 'E_MODEL', stage: 'import' }),
    );
  });
});
