// The IR alone: build a graph, infer its shapes, save it as conf.yaml and model.bin, and read it back.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Graph, inferShapes, readIr, writeIr } from '@neural-engine/ir';

const graph = new Graph('tiny');
graph.addValue({ name: 'x', dtype: 'f32', shape: ['batch', 4] });
graph.inputs = ['x'];
const weight = graph.addConstant('weight', { dtype: 'f32', dims: [2, 4], data: Float32Array.of(1, 0, 0, 0, 0, 1, 0, 0) });
graph.addValue({ name: 'y', dtype: 'f32', shape: undefined });
graph.nodes = [
  {
    name: 'product',
    op: 'InnerProduct',
    inputs: ['x', weight],
    outputs: ['y'],
    attributes: { transposed: true, activation: 'relu', output_dtype: 'f32' },
  },
];
graph.outputs = ['y'];
inferShapes(graph);

const folder = await mkdtemp(join(tmpdir(), 'ir-'));
await writeIr(graph, join(folder, 'ir'));
const read = await readIr(join(folder, 'ir'));
console.log((await readFile(join(folder, 'ir', 'conf.yaml'), 'utf8')).split('\n').slice(0, 6).join('\n'));
console.log(`y has shape [${read.value('y').shape.join(', ')}]`);
await rm(folder, { recursive: true });
