import { Graph, verifyGraph } from '@neural-engine/ir';
import { describe, expect, it } from 'vitest';
import { dropReorders } from './drop-reorders';

/** A chain of operators over values of one shape, each `output = op(inputs)`. */
function chain(inputs: string[], outputs: string[], ...steps: [string, string, ...string[]][]): Graph {
  const graph = new Graph();
  const add = (name: string): void => void graph.addValue({ name, dtype: 'f32', shape: ['batch', 4] });
  inputs.forEach(add);
  graph.inputs = inputs;
  for (const [i, [output, op, ...read]] of steps.entries()) {
    add(output);
    graph.nodes.push({ name: `${op}_${i}`, op, inputs: read, outputs: [output], attributes: {} });
  }
  graph.outputs = outputs;
  return graph;
}

function dropped(graph: Graph): string[] {
  dropReorders(graph);
  verifyGraph(graph);
  return graph.nodes.map(({ op, inputs, outputs }) => `${outputs} = ${op}(${inputs})`);
}

describe('dropReorders', () => {
  it('lets readers read what was reordered, through several', () => {
    const graph = chain(['x'], ['z'], ['y', 'Relu', 'x'], ['a', 'Reorder', 'y'], ['b', 'Reorder', 'a'], ['z', 'Add', 'b', 'y']);
    expect(dropped(graph)).toEqual(['y = Relu(x)', 'z = Add(y,y)']);
    expect([...graph.values.keys()]).toEqual(['x', 'y', 'z']);
  });
  it('gives a result the name of the output behind a Reorder', () => {
    const graph = chain(['x'], ['out', 'z'], ['y', 'Relu', 'x'], ['out', 'Reorder', 'y'], ['z', 'Neg', 'y']);
    expect(dropped(graph)).toEqual(['out = Relu(x)', 'z = Neg(out)']);
  });
  it('copies where one value is two outputs, or an input is an output', () => {
    expect(dropped(chain(['x'], ['y', 'out'], ['y', 'Relu', 'x'], ['out', 'Reorder', 'y']))).toEqual(['y = Relu(x)', 'out = Identity(y)']);
    expect(dropped(chain(['x'], ['out'], ['out', 'Reorder', 'x']))).toEqual(['out = Identity(x)']);
    const twice = chain(['x'], ['a', 'b'], ['y', 'Relu', 'x'], ['a', 'Reorder', 'y'], ['b', 'Reorder', 'y']);
    expect(dropped(twice)).toEqual(['a = Relu(x)', 'b = Identity(a)']);
  });
  it('leaves other graphs alone', () => {
    expect(dropped(chain(['x'], ['y'], ['y', 'Relu', 'x']))).toEqual(['y = Relu(x)']);
  });
});
