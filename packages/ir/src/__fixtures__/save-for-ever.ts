// Saves one graph after the other to a folder, until it is killed: `node save-for-ever.ts FOLDER FIRST`.
import { writeIr } from '../format/write-ir';
import { Graph } from '../graph';

/** Two weights of 1 MiB that hold nothing but `fill`, which the first node's name tells too: a part of each file. */
export function filledGraph(fill: number): Graph {
  const graph = new Graph('filled');
  for (const name of ['x', 'h', 'y']) graph.addValue({ name, dtype: 'f32', shape: ['n', 512] });
  graph.inputs = ['x'];
  const weight = (name: string): string =>
    graph.addConstant(name, { dtype: 'f32', dims: [512, 512], data: new Float32Array(2 ** 18).fill(fill) });
  graph.nodes.push(
    { name: `first${fill}`, op: 'MatMul', inputs: ['x', weight('a')], outputs: ['h'], attributes: {} },
    { name: 'second', op: 'MatMul', inputs: ['h', weight('b')], outputs: ['y'], attributes: {} },
  );
  graph.outputs = ['y'];
  return graph;
}

if (process.argv[1]?.endsWith('save-for-ever.ts')) {
  const [, , folder, first] = process.argv;
  for (let fill = Number(first); ; fill++) {
    await writeIr(filledGraph(fill), folder!, { force: true });
    console.log('saved');
  }
}
