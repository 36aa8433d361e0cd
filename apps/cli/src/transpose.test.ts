import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Tensor } from '@neural-engine/core';
import { Graph, inferShapes, readIr, writeIr } from '@neural-engine/ir';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { transposeToIr } from './transpose';

const golden = join(process.env['NE_SHARED'] ?? fileURLToPath(new URL('../../../../shared', import.meta.url)), 'reference', 'golden');
const hasGolden = existsSync(golden);
if (!hasGolden) console.info('ne transpose --original on a genuine model: not tested, the shared data folder is absent');

const folder = mkdtempSync(join(tmpdir(), 'ne-transpose-'));
const model = join(folder, 'int8');
afterAll(() => rmSync(folder, { recursive: true }));

const f32 = (values: number[]): Tensor => ({ dtype: 'f32', dims: [values.length], data: Float32Array.from(values) });

/** One 8-bit product of eight channels, three quarters of whose 4x1 blocks are zero. */
function product(): Graph {
  const graph = new Graph();
  graph.addValue({ name: 'x', dtype: 'f32', shape: ['batch', 'sequence', 8] });
  graph.inputs = ['x'];
  const codes = Int8Array.from({ length: 64 }, (_, i) => (Math.floor(i / 8) % 4 === 0 ? i + 1 : 0));
  const weight = graph.addConstant('weight', { dtype: 's8', dims: [8, 8], data: codes });
  const range = [graph.addConstant('min', f32([-1])), graph.addConstant('max', f32([1]))];
  const ranges = [graph.addConstant('weight_min', f32(Array(8).fill(-1))), graph.addConstant('weight_max', f32(Array(8).fill(1)))];
  graph.addValue({ name: 'codes', dtype: 'u8', shape: undefined });
  graph.addValue({ name: 'y', dtype: 'f32', shape: undefined });
  graph.nodes = [
    { name: 'quantize', op: 'Quantize', inputs: ['x', ...range], outputs: ['codes'], attributes: {} },
    { name: 'product', op: 'InnerProduct', inputs: ['codes', weight, '', '', ...range, ...ranges], outputs: ['y'], attributes: {} },
  ];
  graph.outputs = ['y'];
  inferShapes(graph);
  return graph;
}

beforeAll(() => writeIr(product(), model));

describe('ne transpose', () => {
  it('saves the transposed graph and says what it decided', async () => {
    const output = join(folder, 'transposed');
    const { rows, notes } = await transposeToIr(model, { output, threshold: '0.7' });
    expect(rows).toEqual([
      { node: 'quantize', op: 'Quantize', zeros: null, layout: 'transposed', reason: 'all that read it are transposed' },
      {
        node: 'product',
        op: 'InnerProduct',
        zeros: 0.75,
        layout: 'transposed',
        reason: '75.0% of its 4x1 blocks are zero, at least 70.0%',
      },
    ]);
    expect(notes).toEqual([`1 of 1 products are transposed, with 2 Reorders; saved to ${output}`]);
    expect((await readIr(output)).nodes.map(({ op }) => op)).toEqual(['Reorder', 'Quantize', 'InnerProduct', 'Reorder']);
    const again = await transposeToIr(output, { output: join(folder, 'again'), threshold: '0.7' });
    expect(again.notes[0]).toBe('the model is transposed already and is saved as it is');
    expect(readFileSync(join(folder, 'again', 'conf.yaml'))).toEqual(readFileSync(join(output, 'conf.yaml')));
  });
  it('takes a threshold and lists of names', async () => {
    const saved = async (flags: object): Promise<string[]> => {
      const { notes } = await transposeToIr(model, { output: join(folder, 'lists'), threshold: '0.8', force: true, ...flags });
      return notes;
    };
    expect((await saved({}))[0]).toBe('no product qualifies; the model is saved as it is');
    expect((await saved({ include: 'prod*' }))[0]).toMatch(/^1 of 1/);
    expect((await saved({ include: 'product', exclude: 'product' }))[0]).toMatch(/no product qualifies/);
    await expect(saved({ exclude: 'prodct' })).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(saved({ threshold: '70%' })).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining('--threshold 70%'),
    });
  });
  it('reads a pattern_switch file, and keeps what it cannot save', async () => {
    const patternSwitch = join(folder, 'pattern.conf');
    writeFileSync(patternSwitch, 'pattern_switch:\n  MultiHeadAttention: False\n');
    const { notes } = await transposeToIr(model, { output: join(folder, 'switched'), threshold: '0.7', patternSwitch });
    expect(notes[0]).toContain('"MultiHeadAttention" has no effect');
    const output = join(folder, 'refused');
    await expect(transposeToIr(model, { output, threshold: '0.7', original: true })).rejects.toMatchObject({ code: 'E_UNSUPPORTED' });
    expect(existsSync(output)).toBe(false);
    await expect(transposeToIr(model, { output: model, threshold: '0.7' })).rejects.toMatchObject({ code: 'E_USAGE' });
  });
  it.runIf(hasGolden)("writes a question-answering model in the original's dialect", async () => {
    const output = join(folder, 'original');
    const source = join(golden, 'd384', 'model-int8-qdq.onnx');
    const { notes } = await transposeToIr(source, { output, threshold: '0.7', original: true });
    expect(notes).toEqual([
      "2 GELUs are written in their tanh form: the original's transposed products have no other",
      'start and end logits are written as one tensor, as the original has them',
      `12 of 13 products are transposed, with 2 Reorders; saved to ${output} in the original's dialect`,
    ]);
    const read = await readIr(output);
    expect(read.outputs).toEqual(['logits']);
    expect(read.nodes.filter(({ op }) => op === 'Attention')).toHaveLength(2);
  });
});
