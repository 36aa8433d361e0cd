import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoModelDirectory, demoSamples } from '@neural-engine/demo-model';
import { makeModel, makeNode, makeTensor, makeValueInfo, writeModel } from '@neural-engine/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Result, run } from './__fixtures__/run';

const folder = mkdtempSync(join(tmpdir(), 'ne-cli-'));
const tiny = join(folder, 'tiny.onnx');
const tokenizer = demoModelDirectory();
const input = join(folder, 'x.json');

const ne = (args: readonly string[], stdin = ''): Promise<Result> =>
  run('ne', args, { env: { NE_CACHE_DIR: join(folder, 'cache') }, stdin: { text: stdin } });

beforeAll(async () => {
  // y = relu(x · W) with one weight of 2 × 4.
  const weight = makeTensor('w', 'f32', [2, 4], Float32Array.of(1, 0, -1, 2, 0, 1, 1, -2));
  const graph = {
    nodes: [makeNode('MatMul', ['x', 'w'], ['p'], { name: 'product' }), makeNode('Relu', ['p'], ['y'], { name: 'relu' })],
    inputs: [makeValueInfo('x', 'f32', ['batch', 2])],
    outputs: [makeValueInfo('y', 'f32', ['batch', 4])],
    initializers: [weight],
  };
  await writeModel(makeModel(graph), tiny);
  writeFileSync(input, '{"x": [[1, 2], [3, -4]]}');
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('ne', () => {
  it('runs a model on JSON and prints JSON', async () => {
    const { code, out } = await ne(['run', tiny, '-i', input]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({ y: { dtype: 'f32', dims: [2, 4], data: [1, 2, 1, 0, 3, 0, 0, 14] } });
  });
  it('compiles, and the IR gives the same answer', async () => {
    const ir = join(folder, 'tiny-ir');
    expect(await ne(['compile', tiny, '-o', ir, '--explain'])).toMatchObject({
      code: 0,
      out: '',
      err: expect.stringContaining('absorb-activation'),
    });
    expect(readdirSync(ir).sort()).toEqual(['conf.yaml', 'model.bin']);
    const { out } = await ne(['run', ir, '-i', input]);
    expect(JSON.parse(out).y.data).toEqual([1, 2, 1, 0, 3, 0, 0, 14]);
  });
  it('answers from stdin, with clean stdout', async () => {
    const [sample] = demoSamples();
    const { code, out } = await ne(['answer', sample!.question, '--context', '-', '--json'], sample!.context);
    expect(code).toBe(0);
    const { answers } = JSON.parse(out);
    expect(sample!.answers.map((answer) => answer.text)).toContain(answers[0].answer);
    expect(sample!.context.slice(answers[0].start, answers[0].end)).toBe(answers[0].answer);
  });
  it('prints benchmark rows as JSON with the kernels used', async () => {
    const { code, out } = await ne(['bench', '-b', '1,2', '-s', '16', '-i', '3', '-t', '1', '--json']);
    expect(code).toBe(0);
    const result = JSON.parse(out);
    expect(result.rows.map((row: { batch: number }) => row.batch)).toEqual([1, 2]);
    expect(result).toMatchObject({ schemaVersion: 1, schema: 'bench', tier: expect.any(String) });
  });
  it('reports sparsity with a reason for each weight, and a page', async () => {
    const html = join(folder, 'sparsity.html');
    const { code, out } = await ne(['sparsity', '--sparse', 'threshold', '--html', html, '--json']);
    expect(code).toBe(0);
    const { rows } = JSON.parse(out);
    expect(rows).toHaveLength(37);
    expect(rows[0]).toMatchObject({
      kernel: expect.stringMatching(/^spmm_f32_4x1_/),
      rule: 'sparse 4x1',
      reason: '80.0% of its 4x1 blocks are zero, at least 70.0%',
    });
    expect(rows[36]).toMatchObject({ rule: 'dense', reason: '2 output channels are no multiple of 4' });
    expect(readFileSync(html, 'utf8')).toContain('</html>');
  });
  it('draws a graph', async () => {
    const { code, out } = await ne(['inspect', tiny, '--graph', 'mermaid']);
    expect(code).toBe(0);
    expect(out).toContain('InnerProduct');
  });
});

describe('bad command lines', () => {
  it.each([
    ['an absent model', ['inspect', 'nowhere.onnx'], 66, 'E_NOT_FOUND'],
    ['an absent text', ['answer', 'q', '--context', 'nowhere.txt'], 66, 'nowhere.txt'],
    ['an unknown output form', ['doctor', '-o', 'xml'], 2, 'xml'],
    ['an unknown precision', ['quantize', '-o', join(folder, 'never'), '--precision', 'int4'], 2, '--precision int4'],
    ['an unknown engine policy', ['bench', '--sparse', 'maybe'], 2, 'maybe'],
  ])('%s', async (_, args, code, text) => {
    const result = await ne(args);
    expect(result).toMatchObject({ code, out: '' });
    expect(result.err).toContain(text);
    expect(result.err).not.toContain('    at ');
  });
  it('prints errors as JSON with --json', async () => {
    const { err } = await ne(['inspect', 'nowhere.onnx', '--json']);
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'E_NOT_FOUND', stage: 'load' } });
    for (const args of [['inspect', '--no-such-flag'], ['answer'], ['inspcet'], ['answer', 'a', 'b', 'c', '-c', '-']]) {
      const refused = await ne([...args, '--json']);
      expect(JSON.parse(refused.err)).toMatchObject({ error: { code: 'E_USAGE', stage: 'usage', message: expect.any(String) } });
      expect(refused).toMatchObject({ code: 2, out: '' });
    }
    expect((await ne(['inspcet'])).err).toBe("error[E_USAGE] usage: unknown command 'inspcet' (Did you mean inspect?)\n");
  });
  it('refuses to evaluate on a broken data set', async () => {
    const data = join(folder, 'squad.json');
    writeFileSync(data, '{"data": [{"title": "x"}]}');
    expect(await ne(['eval', '-d', data, '--tokenizer', tokenizer])).toMatchObject({
      code: 65,
      out: '',
      err: expect.stringContaining('E_DATASET'),
    });
  });
});
