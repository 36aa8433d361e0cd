// `ne quantize -o file.onnx` in its three precisions, and what the importer says of quantised operators that it does not take.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoModelDirectory, demoModelPath } from '@neural-engine/demo-model';
import { compileModel } from '@neural-engine/engine';
import { makeModel, makeNode, makeTensor, makeValueInfo, readModel, writeModel } from '@neural-engine/onnx';
import { afterAll, describe, expect, it } from 'vitest';
import { inProcess } from '../__fixtures__/in-process';

const folder = mkdtempSync(join(tmpdir(), 'ne-quantize-onnx-'));
process.env['NE_CACHE_DIR'] = join(folder, 'cache');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

/** F1 on a few samples of the embedded model. */
async function f1(model: string, engine: string): Promise<number> {
  const args = ['eval', model, '--tokenizer', demoModelDirectory(), '--limit', '12', '-t', '2', '-e', engine, '--json'];
  const { code, out, err } = await inProcess(args);
  expect(code, err).toBe(0);
  return JSON.parse(out).f1;
}

describe('ne quantize -o file.onnx', () => {
  it.each([
    ['int8', ['-n', '32'], { QuantizeLinear: 1, DequantizeLinear: 1 }, 'MatMulInteger', 0.8],
    ['dynamic-int8', [], { MatMulInteger: 30, DynamicQuantizeLinear: 10 }, 'QuantizeLinear', 0.8],
    ['bf16', [], {}, 'QuantizeLinear', 1.01],
  ] as const)('%s: a file that ONNX Runtime and this engine run with the answers of fp32', async (precision, more, has, lacks, size) => {
    const output = at(`${precision}.onnx`);
    const { code, out, err } = await inProcess(['quantize', '-p', precision, '-o', output, '-t', '2', ...more, '--json']);
    expect(code, err).toBe(0);
    const report = JSON.parse(out);
    expect(report).toMatchObject({ schema: 'quantize', precision, output, samples: precision === 'int8' ? 32 : 0 });
    // 6 layers of 6 products; the head has two outputs and stays as it is.
    expect(report.products).toBe(36);
    const { graph } = await readModel(output);
    const counts = new Map<string, number>();
    for (const { opType } of graph.nodes) counts.set(opType, (counts.get(opType) ?? 0) + 1);
    for (const [op, least] of Object.entries(has)) expect(counts.get(op), op).toBeGreaterThanOrEqual(least);
    expect(counts.has(lacks)).toBe(false);
    // The embedded model is stored as f16, and half of it are embeddings, which stay.
    expect(statSync(output).size).toBeLessThan(size * statSync(demoModelPath()).size);
    const [ours, theirs, fp32] = [
      await f1(output, 'neural-engine'),
      await f1(output, 'onnxruntime'),
      await f1(demoModelPath(), 'neural-engine'),
    ];
    expect(Math.abs(ours - theirs)).toBeLessThan(5);
    expect(ours).toBeGreaterThan(fp32 - 10);
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('--attention: pairs around attention too, which compile to 8-bit attention', async () => {
    const output = at('attention.onnx');
    const { code, out, err } = await inProcess(['quantize', '-n', '32', '-t', '2', '--attention', '-o', output, '--json']);
    expect(code, err).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ products: 36, attentions: 6 });
    const attentions = (await compileModel(output)).nodes.filter(({ op }) => op === 'Attention');
    expect(attentions.map(({ attributes }) => attributes['output_dtype'])).toEqual(Array(6).fill('u8'));
    expect(await f1(output, 'neural-engine')).toBeGreaterThan((await f1(demoModelPath(), 'neural-engine')) - 10);
  });

  it('writes the same bytes again, and from the recipe that it saved', async () => {
    const [recipe, first] = [at('recipe.json'), at('first.onnx')];
    const command = (output: string, ...more: string[]) => inProcess(['quantize', '-n', '8', '-t', '1', '-o', output, ...more]);
    expect((await command(first, '--keep', (await firstProduct()) ?? '', '--save-recipe', recipe)).code).toBe(0);
    expect((await command(at('second.onnx'), '--recipe', recipe)).code).toBe(0);
    expect(readFileSync(at('second.onnx')).equals(readFileSync(first))).toBe(true);
    const { code, err } = await inProcess(['quantize', first, '-o', at('twice.onnx')]);
    expect([code, err], err).toEqual([65, expect.stringContaining('E_QUANT')]);
  });

  it('says what makes no sense before it works', async () => {
    await inProcess(['compile', '-o', at('ir')]);
    for (const [args, text] of [
      [['quantize', at('ir'), '-o', at('never.onnx')], 'is none'],
      [['quantize', '-p', 'fp32', '-o', at('never.onnx')], 'already'],
      [['quantize', '-p', 'bf16', '--max-drop', '1%', '-o', at('never.onnx')], '--max-drop'],
      [['quantize', '-p', 'bf16', '--attention', '-o', at('never.onnx')], '--attention'],
      [['quantize', '--attention', '-o', at('never')], '--attention'],
    ] as const) {
      expect(await inProcess([...args])).toMatchObject({ code: 2, out: '', err: expect.stringContaining(text) });
      expect([existsSync(at('never.onnx')), existsSync(at('never'))]).toEqual([false, false]);
    }
  });
});

/** The first layer that a recipe names. */
async function firstProduct(): Promise<string | undefined> {
  const { out } = await inProcess(['quantize', '--dry-run']);
  return Object.keys(JSON.parse(out).layers)[0];
}

describe('quantised operators that are not imported', () => {
  const scale = (name: string) => makeTensor(name, 'f32', [], Float32Array.of(0.1));
  const zero = (name: string) => makeTensor(name, 'u8', [], Uint8Array.of(3));
  const quantized = (name: string, opType: string, operands: readonly string[], domain: string) =>
    makeNode(opType, [...operands, 's', 'z'], [`${name}_out`], { name, domain });
  async function model(name: string, nodes: ReturnType<typeof makeNode>[], domain: string): Promise<string> {
    const graph = {
      nodes,
      inputs: [makeValueInfo('a', 'u8', [2, 4]), makeValueInfo('b', 'u8', [2, 4])],
      outputs: nodes.map(({ outputs }) => makeValueInfo(outputs[0]!, 'u8', [2, 4])),
      initializers: [scale('s'), zero('z')],
    };
    await writeModel(makeModel(graph, { opsets: { '': 17, ...(domain ? { [domain]: 1 } : {}) } }), at(name));
    return at(name);
  }

  it('QLinearAdd and its kin are E_UNSUPPORTED at load, each node and operator named, by every command', async () => {
    const pair = ['a', 's', 'z', 'b', 's', 'z'];
    const domain = 'com.microsoft';
    const path = await model(
      'qlinear.onnx',
      [
        quantized('sum', 'QLinearAdd', pair, domain),
        quantized('second_sum', 'QLinearAdd', pair, domain),
        quantized('product', 'QLinearMul', pair, domain),
        quantized('squash', 'QLinearSigmoid', ['a', 's', 'z'], domain),
      ],
      domain,
    );
    for (const args of [
      ['compile', path, '-o', at('never')],
      ['inspect', path],
      ['bench', path, '-i', '3'],
      ['quantize', path, '-o', at('never')],
    ]) {
      const { code, out, err } = await inProcess(args);
      expect([code, out], args[0]).toEqual([69, '']);
      expect(err).toMatch(/^error\[E_UNSUPPORTED\] import: 4 nodes are not supported: /m);
      expect(err).toMatch(/com\.microsoft[.:]{1,2}QLinearAdd \(opset 1\): .*; 2 nodes "sum", "second_sum"/);
      expect(err).toMatch(/QLinearMul .* node "product"/);
      expect(err).toMatch(/QLinearSigmoid .* node "squash"/);
    }
    expect(existsSync(at('never'))).toBe(false);
    const { err } = await inProcess(['inspect', path, '--json']);
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'E_UNSUPPORTED', stage: 'import', where: 'sum' } });
  });

  it('and so are quantised operators of ONNX itself that no encoder has', async () => {
    const conv = makeNode('QLinearConv', ['a', 's', 'z', 'b', 's', 'z', 's', 'z'], ['conv_out'], { name: 'conv' });
    const { code, err } = await inProcess(['inspect', await model('conv.onnx', [conv], '')]);
    expect(code).toBe(69);
    expect(err).toMatch(/E_UNSUPPORTED.*QLinearConv \(opset 17\): .*"conv"/);
  });
});
