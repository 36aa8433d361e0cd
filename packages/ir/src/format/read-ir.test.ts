import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Tensor, viewBytes } from '@neural-engine/core';
import { afterAll, describe, expect, it } from 'vitest';
import { filledGraph } from '../__fixtures__/save-for-ever';
import { Graph } from '../graph';
import { inferShapes } from '../infer';
import { evaluateNode } from '../infer-node';
import { readIr } from './read-ir';
import { contentName } from './save-files';
import { encodeIr, writeIr } from './write-ir';

const golden = join(process.env['NE_SHARED'] ?? fileURLToPath(new URL('../../../../../shared', import.meta.url)), 'reference', 'golden');
const hasGolden = existsSync(golden);
if (!hasGolden) console.info('genuine IR files: not tested, the shared data folder is absent');
const folder = mkdtempSync(join(tmpdir(), 'ne-ir-'));
afterAll(() => rmSync(folder, { recursive: true }));

function npy(path: string): Tensor {
  const bytes = readFileSync(path);
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, start);
  const dims = /\(([^)]*)\)/
    .exec(header)![1]!
    .split(',')
    .filter((part) => part.trim())
    .map(Number);
  const dtype = header.includes('<f4') ? 'f32' : header.includes('<i4') ? 's32' : 's64';
  return { dtype, dims, data: viewBytes(dtype, new Uint8Array(bytes.subarray(start))) };
}

/** Runs a graph with the schemas' own arithmetic: slow, exact, and independent of any kernel. */
function interpret(graph: Graph, feeds: Record<string, Tensor>): Tensor[] {
  const values = new Map<string, Tensor>(Object.entries(feeds));
  for (const value of graph.values.values()) if (value.constant) values.set(value.name, value.constant);
  for (const node of graph.nodes) {
    const outputs = evaluateNode(
      node,
      node.inputs.map((name) => values.get(name)),
    )!;
    for (const [i, name] of node.outputs.entries()) values.set(name, outputs[i]!);
  }
  return graph.outputs.map((name) => values.get(name)!);
}

function meanDistance(a: Tensor, b: Tensor): number {
  expect(a.data.length).toBe(b.data.length);
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += Math.abs(Number(a.data[i]) - Number(b.data[i]));
  return sum / a.data.length;
}

/** A small graph of our own with everything the file must carry: symbols, absent and repeated inputs, attributes of each kind. */
function sample(): Graph {
  const graph = new Graph('sample');
  graph.addValue({ name: 'x', dtype: 'f32', shape: ['batch', 'sequence', 8] });
  graph.inputs = ['x'];
  const weight = graph.addConstant('w', { dtype: 'f32', dims: [8, 8], data: Float32Array.from({ length: 64 }, (_, i) => Math.sin(i)) });
  const scale = graph.addConstant('g', { dtype: 'f32', dims: [8], data: new Float32Array(8).fill(1) });
  for (const name of ['double', 'y', 'z']) graph.addValue({ name, dtype: 'f32', shape: ['batch', 'sequence', 8] });
  graph.nodes = [
    { name: 'double', op: 'Add', inputs: ['x', 'x'], outputs: ['double'], attributes: {} },
    {
      name: 'product',
      op: 'InnerProduct',
      inputs: ['double', weight, '', 'x'],
      outputs: ['y'],
      attributes: { transposed: true, activation: 'gelu_erf', output_dtype: 'f32' },
    },
    { name: 'norm', op: 'LayerNorm', inputs: ['y', scale, scale], outputs: ['z'], attributes: { epsilon: 1e-12 } },
  ];
  graph.outputs = ['z'];
  return graph;
}

describe('our own IR', () => {
  it('gives back the graph, and the same bytes when it is saved again', async () => {
    const path = join(folder, 'own');
    await writeIr(sample(), path);
    const read = await readIr(path);
    expect(read.nodes).toEqual(sample().nodes);
    expect([...read.values.values()]).toEqual(expect.arrayContaining([...sample().values.values()]));
    expect(encodeIr(read)).toEqual(encodeIr(sample()));
    expect(readdirSync(path).sort()).toEqual(['conf.yaml', 'model.bin']);
  });
  it('gives the same bytes however the values were added', async () => {
    const graph = sample();
    const moved = graph.value('double');
    graph.values.delete('double');
    graph.values.set('double', moved);
    const { config, weights } = encodeIr(graph);
    expect(encodeIr(await readIr({ config, weights: Buffer.concat(weights) })).config).toBe(config);
  });
  it('refuses to overwrite without force, and keeps two files with it', async () => {
    const path = join(folder, 'twice');
    await writeIr(sample(), path);
    await expect(writeIr(sample(), path)).rejects.toMatchObject({ code: 'E_CANTCREAT' });
    await writeIr(sample(), path, { force: true });
    expect(readdirSync(path).sort()).toEqual(['conf.yaml', 'model.bin']);
  });
  it('C7: refuses to save where another save is going on, and F7 removes what a killed one left', async () => {
    const path = join(folder, 'two');
    const both = await Promise.allSettled([writeIr(sample(), path), writeIr(sample(), path)]);
    expect(both.map((one) => (one.status === 'fulfilled' ? 'saved' : one.reason.code))).toEqual(['saved', 'E_LOCKED']);
    mkdirSync(join(folder, '.fresh.4194305-0123456789ab.tmp'));
    for (const name of ['.output.4194305-0123456789ab.tmp', '.output.4194305-0123456789ac.tmp']) writeFileSync(join(path, name), 'half');
    const again = await Promise.allSettled([writeIr(sample(), path, { force: true }), writeIr(sample(), path, { force: true })]);
    expect(again.map((one) => (one.status === 'fulfilled' ? 'saved' : one.reason.code))).toEqual(['saved', 'E_LOCKED']);
    await writeIr(sample(), join(folder, 'fresh'));
    expect(readdirSync(path).sort()).toEqual(['conf.yaml', 'model.bin']);
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });
  it('F4: leaves the old pair or the new one, whole, when it is killed at any moment', async () => {
    const path = join(folder, 'killed');
    const script = fileURLToPath(new URL('../__fixtures__/save-for-ever.ts', import.meta.url));
    await writeIr(filledGraph(0), path);
    for (let round = 1; round <= Number(process.env['NE_KILLS'] ?? 4); round++) {
      const writer = spawn(process.execPath, ['--import', 'tsx', '--conditions=source', script, path, String(1000 * round)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await new Promise((resolve) => writer.stdout.once('data', resolve));
      await new Promise((resolve) => setTimeout(resolve, (13 * round) % 50));
      const ended = new Promise((resolve) => writer.once('exit', resolve));
      writer.kill('SIGKILL');
      await ended;
      const graph = await readIr(path);
      const fill = Number(graph.nodes[0]!.name.slice('first'.length));
      expect(fill).toBeGreaterThanOrEqual(1000 * round);
      for (const name of ['a', 'b']) expect(new Set(graph.constant(name)!.data as Float32Array)).toEqual(new Set([fill]));
    }
    await writeIr(filledGraph(1), path, { force: true });
    expect(readdirSync(path).sort()).toEqual(['conf.yaml', 'model.bin']);
  });
  it('reads the new pair when a save was cut off after its commit', async () => {
    const path = join(folder, 'cut');
    await writeIr(sample(), path);
    const other = sample();
    (other.constant('w')!.data as Float32Array).fill(2);
    const { config, weights, digest } = encodeIr(other);
    writeFileSync(join(path, contentName(digest)), Buffer.concat(weights));
    writeFileSync(join(path, 'conf.yaml'), config);
    expect(encodeIr(await readIr(path)).digest).toBe(digest);
  });
  it.each([
    ['B1 truncated weights', (bytes: Uint8Array) => bytes.slice(0, -1)],
    ['B2 trailing bytes', (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.of(0)])],
    ['B3 a flipped bit', (bytes: Uint8Array) => bytes.map((byte, i) => (i === 5 ? byte ^ 1 : byte))],
    ['B1 no weights', () => new Uint8Array(0)],
  ])('refuses %s', async (_, change) => {
    const { config, weights } = encodeIr(sample());
    await expect(readIr({ config, weights: change(Buffer.concat(weights)) })).rejects.toMatchObject({ code: 'E_IR_MISMATCH' });
  });
});

describe.runIf(hasGolden)('IR of the original', () => {
  it.each([
    // The original computes GELU by its tanh form and rounds to bf16 in places; int8 files are compared with the original's own outputs,
    // which agree with ONNX Runtime's int8 to about 0.04 on average (its agreement.txt).
    ['small128', 'fp32-ir-1.0.1', 0.0005],
    ['small128', 'fp32-ir-1.1', 0.0005],
    ['small128', 'fp32-ir-1.3', 0.0005],
    ['small128', 'bf16-ir-1.3', 0.02],
    ['small128', 'dynamic_int8-ir-1.3', 0.01],
    ['small128', 'int8-ir-1.0.1', 0.03],
    ['small128', 'int8-ir-1.1', 0.03],
    ['small128', 'int8-ir-1.3', 0.03],
    ['small128', 'int8-transposed-ir-1.0.1', 0.03],
    ['small128', 'int8-transposed-ir-1.1', 0.03],
    ['small128', 'int8-transposed-ir-1.3', 0.03],
    ['bert256', 'int8-ir-1.3', 0.03],
    ['bert256', 'int8-mha-ir-1.3', 0.03],
    ['bert256', 'int8-transposed-ir-1.3', 0.03],
  ])('%s/%s means what the original computed', async (model, ir, tolerance) => {
    const graph = await readIr(join(golden, model, ir));
    const feeds = Object.fromEntries(graph.inputs.map((name) => [name, npy(join(golden, model, 'inputs', `b1s64.${name}.npy`))]));
    const shapes = inferShapes(graph, Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, tensor.dims])));
    const [logits] = interpret(graph, feeds);
    expect(shapes.get(graph.outputs[0]!)!.dims).toEqual(logits!.dims);
    const distance = meanDistance(logits!, npy(join(golden, model, 'outputs', `${ir}.b1s64.npy`)));
    expect(distance).toBeLessThan(tolerance);
  });
  it('names everything it cannot run', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ne-unknown-'));
    try {
      const source = join(golden, 'small128', 'dynamic_int8-ir-1.3');
      const config = readFileSync(join(source, 'conf.yaml'), 'utf8').replaceAll('type: MultiHeadAttention', 'type: Attention9');
      writeFileSync(join(folder, 'conf.yaml'), config);
      copyFileSync(join(source, 'model.bin'), join(folder, 'model.bin'));
      await expect(readIr(folder)).rejects.toMatchObject({
        code: 'E_UNSUPPORTED',
        message: expect.stringMatching(/^2 operators.*Attention9/),
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
