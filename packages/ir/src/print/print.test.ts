import { describe, expect, it } from 'vitest';
import { f32, Sketch, s64 } from '../__fixtures__/sketch';
import type { Graph } from '../graph';
import { inferShapes } from '../infer';
import { printDot } from './dot';
import { printMermaid } from './mermaid';
import { findRepeat } from './repeats';
import { summarize } from './summarize';
import { printText } from './text';

function small(): Graph {
  const { graph } = new Sketch('small')
    .input('x', ['batch', 4])
    .constant('w', f32([4, 3], new Array(12).fill(1)))
    .constant('half', f32([], [0.5]))
    .node('MatMul', ['x', 'w'], ['h'])
    .node('Mul', ['h', 'half'], ['s'])
    .node('Softmax', ['s'], ['y'], { axis: 0 })
    .output('y');
  inferShapes(graph);
  return graph;
}

/** `count` layers of three nodes between an embedding-like head and tail. */
function layered(count: number): Graph {
  const sketch = new Sketch('layered').input('x', ['n', 4]).node('Relu', ['x'], ['h0']);
  for (let i = 0; i < count; i++) {
    sketch
      .node('Tanh', [`h${i}`], [`a${i}`])
      .node('Exp', [`a${i}`], [`b${i}`])
      .node('Add', [`b${i}`, `h${i}`], [`h${i + 1}`]);
  }
  sketch.node('Neg', [`h${count}`], ['y']).output('y');
  inferShapes(sketch.graph);
  return sketch.graph;
}

describe('printText', () => {
  it('prints one node a line, with small constants in place', () => {
    expect(printText(small())).toBe(
      [
        'graph "small": 3 nodes, 13 parameters',
        '  input  x  f32 [batch, 4]',
        '  h = MatMul(x, w: f32[4, 3])  f32 [batch, 3]',
        '  s = Mul(h, 0.5)              f32 [batch, 3]',
        '  y = Softmax(s, axis=0)       f32 [batch, 3]',
        '  output y  f32 [batch, 3]',
        '',
      ].join('\n'),
    );
  });

  it('leaves out nodes beyond the number asked for', () => {
    expect(printText(small(), { maxNodes: 1 })).toContain('… 2 more nodes');
  });

  it('prints no control characters that a file may have in its names', () => {
    const { graph } = new Sketch('a\u001b[31m').input('x\n\u202e', [1]).node('Relu', ['x\n\u202e'], ['y']).output('y');
    expect(printText(graph)).toContain('graph "a\\u001b[31m"');
    expect(printText(graph)).toContain('Relu(x\\u000a\\u202e)');
  });
});

describe('pictures', () => {
  it('draws nodes, constants and arrows with shapes in Mermaid', () => {
    expect(printMermaid(small())).toBe(
      [
        'flowchart TD',
        '  i0(["x<br/>f32 [batch, 4]"])',
        '  n0["MatMul<br/>f32 [4, 3]"]',
        '  n1["Mul"]',
        '  n2["Softmax<br/>axis=0"]',
        '  o0(["y<br/>f32 [batch, 3]"])',
        '  i0 -- "[batch, 4]" --> n0',
        '  n0 -- "[batch, 3]" --> n1',
        '  n1 -- "[batch, 3]" --> n2',
        '  n2 -- "[batch, 3]" --> o0',
        '',
      ].join('\n'),
    );
  });

  it('escapes what the drawing languages would not take literally', () => {
    const { graph } = new Sketch('g"\\').input('a"<b>#', [1]).node('Relu', ['a"<b>#'], ['y']).output('y');
    expect(printMermaid(graph)).toContain('(["a#quot;#lt;b#gt;#35;<br/>f32 [1]"])');
    expect(printDot(graph)).toContain('digraph "g\\"\\\\" {');
    expect(printDot(graph)).toContain('label="a\\"<b>#\\nf32 [1]"');
  });

  it('draws equal layers once and says how many there are', () => {
    const picture = printMermaid(layered(6), { shapes: false });
    expect(picture).toContain('subgraph layers["6 equal layers"]');
    expect(picture.match(/Tanh/g)).toHaveLength(1);
    // The embedding leads into the layers, and the layers lead to the tail.
    expect(picture).toContain('n0 --> n1');
    expect(picture).toContain('n3 --> n19');
    expect(printMermaid(layered(6), { collapse: false }).match(/Tanh/g)).toHaveLength(6);
    expect(printDot(layered(6))).toContain('subgraph cluster_layers');
  });

  it('puts the mask that the first layer makes before the layers', () => {
    const sketch = new Sketch().input('x', ['n']).input('mask', ['n']).node('Relu', ['x'], ['h0']);
    for (let i = 0; i < 3; i++) {
      sketch.node('Tanh', [`h${i}`], [`a${i}`]);
      if (i === 0) sketch.node('Neg', ['mask'], ['m']);
      sketch.node('Add', [`a${i}`, 'm'], [`b${i}`]).node('Exp', [`b${i}`], [`h${i + 1}`]);
    }
    sketch.output('h3');
    inferShapes(sketch.graph);
    expect(printMermaid(sketch.graph)).toContain('3 equal layers');
  });
});

describe('findRepeat', () => {
  it('finds the layers, counting a leftover equal node to the front', () => {
    const graph = layered(4);
    // An Add before the first layer equals the last node of each.
    graph.nodes.unshift({ name: 'front', op: 'Add', inputs: ['x', 'x'], outputs: ['front'], attributes: {} });
    graph.addValue({ name: 'front', dtype: 'f32', shape: ['n', 4] });
    expect(findRepeat(graph)).toEqual({ start: 2, length: 3, count: 4 });
  });

  it('finds none in a graph without equal layers', () => expect(findRepeat(small())).toBeUndefined());

  it('tells layers apart whose weights differ in shape', () => {
    const sketch = new Sketch().input('x', ['n', 4]);
    for (let i = 0; i < 2; i++) {
      sketch
        .constant(`w${i}`, s64([i + 1], new Array(i + 1).fill(1)))
        .node('Relu', ['x'], [`a${i}`])
        .node('Tanh', [`a${i}`], [`b${i}`])
        .node('Unsqueeze', [`b${i}`, `w${i}`], [`c${i}`]);
    }
    expect(findRepeat(sketch.graph)).toBeUndefined();
  });
});

describe('summarize', () => {
  it('counts operators, parameters and multiplications', () => {
    const summary = summarize(small());
    expect(summary).toMatchObject({ nodes: 3, parameters: 13, parameterBytes: 52, macs: '12*batch' });
    expect(summary.operators).toEqual([
      { op: 'MatMul', count: 1, macs: '12*batch' },
      { op: 'Mul', count: 1, macs: 0 },
      { op: 'Softmax', count: 1, macs: 0 },
    ]);
  });

  it('does not know the cost of unknown shapes', () => {
    const graph = small();
    graph.value('h').shape = undefined;
    expect(summarize(graph).macs).toBeNull();
  });
});
