import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Tensor, viewBytes } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { type EncoderOptions, encoder, HIDDEN } from '../../__fixtures__/encoder';
import { expectClose, expectSameGraph } from '../../__fixtures__/same-graph';
import { evaluateGraph } from '../../evaluate-graph';
import type { Graph } from '../../graph';
import type { IrOperator } from '../config';
import { parseConfig } from '../parse-config';
import { readIr } from '../read-ir';
import { encodeOriginalIr, writeOriginalIr } from './encode';
import type { OriginalIrOptions } from './lowering';

const golden = join(process.env['NE_SHARED'] ?? fileURLToPath(new URL('../../../../../../shared', import.meta.url)), 'reference', 'golden');
const hasGolden = existsSync(golden);
if (!hasGolden) console.info('writing genuine IR files again: not tested, the shared data folder is absent');

const s32 = (dims: number[], values: number[]): Tensor => ({ dtype: 's32', dims, data: Int32Array.from(values) });
const feeds: Record<string, Tensor> = {
  input_ids: s32([2, 3], [1, 2, 3, 4, 5, 6]),
  token_type_ids: s32([2, 3], [0, 0, 1, 0, 1, 1]),
  attention_mask: s32([2, 3], [1, 1, 1, 1, 1, 0]),
};

const again = async (graph: Graph, options?: OriginalIrOptions): Promise<Graph> => {
  const { config, weights } = encodeOriginalIr(graph, options);
  return readIr({ config, weights: Buffer.concat(weights) });
};

/** The operators of what is written, Input and Output aside. */
const operators = (graph: Graph, options?: OriginalIrOptions): IrOperator[] =>
  [...parseConfig(encodeOriginalIr(graph, options).config).operators].slice(1, -1);

const attributes = (operator: IrOperator | undefined): Record<string, string> =>
  Object.fromEntries([...(operator?.attributes ?? [])].map(([name, { text }]) => [name, text]));

const named = (graph: Graph, name: string, options?: OriginalIrOptions): IrOperator =>
  operators(graph, options).find((operator) => operator.name === name)!;

const outputs = (graph: Graph, given: Readonly<Record<string, Tensor>> = feeds): Tensor[] => {
  const values = evaluateGraph(graph, given);
  return graph.outputs.map((name) => values.get(name)!);
};

function edit(graph: Graph, name: string, change: (node: Graph['nodes'][number]) => void): Graph {
  change(graph.nodes.find((node) => node.name === name)!);
  return graph;
}

const transposedProduct = (graph: Graph): Graph =>
  edit(graph, '/inner', (node) => {
    node.attributes = { ...node.attributes, layout: 'transposed', transposed: true };
  });

describe('encodeOriginalIr', () => {
  const forms: [string, EncoderOptions][] = [
    ['fp32', {}],
    ['fp32, token types and their head', { tokenTypes: true, head: 'tokens' }],
    ['8-bit attention', { codes: 's8' }],
    ['8-bit values in attention', { codes: 'values' }],
    ['weights stored [out, in]', { codes: 's8', transposed: true }],
    ['GELU by erf', { codes: 's8', activation: 'gelu_erf', head: 'tokens' }],
    ['ReLU', { activation: 'relu' }],
  ];
  it.each(forms)('gives back the graph and its values: %s', async (_, options) => {
    const graph = encoder(options);
    const read = await again(graph);
    expectSameGraph(read, graph);
    expectClose(outputs(read), outputs(graph), 1e-5);
    expect(encodeOriginalIr(graph)).toEqual(encodeOriginalIr(graph));
  });
  it('writes the head on the first token as a slice and a reshape', async () => {
    const graph = encoder({ head: 'first-token', tokenTypes: true });
    const read = await again(graph);
    expect(outputs(read)).toEqual(outputs(graph));
    expect(
      operators(graph)
        .map(({ type }) => type)
        .slice(-5),
    ).toEqual(['Reshape', 'StridedSlice', 'Reshape', 'InnerProduct', 'InnerProduct']);
    expect(attributes(operators(graph).at(-4))).toMatchObject({
      begin: '0,0,0',
      end: '0,1,0',
      strides: '1,1,1',
      begin_mask: '5',
      end_mask: '5',
    });
    expectSameGraph(await again(read), read);
  });
  it('names inputs, orders inputs and fuses reshapes as the original does', () => {
    const graph = encoder({ codes: 's8' });
    const [input] = parseConfig(encodeOriginalIr(graph).config).operators;
    expect(input!.outputs.slice(0, 2)).toEqual([
      { name: 'input_ids:0', dtype: 's32', shape: [-1, -1] },
      { name: 'attention_mask:0', dtype: 's32', shape: [-1, -1] },
    ]);
    const q = named(graph, '/q');
    expect(q.inputs).toEqual([
      'norm0_quant:0',
      'q.weight_quantized:0',
      'q.bias:0',
      'norm0_min:0',
      'norm0_max:0',
      'q.weight_min:0',
      'q.weight_max:0',
      'q_min:0',
      'q_max:0',
      'input_ids:0',
    ]);
    expect([...q.attributes!]).toEqual([
      ['src1_perm', { text: '1,0', quoted: false }],
      ['output_dtype', { text: 's8', quoted: false }],
      ['reshape', { text: '-1,-1,2,4', quoted: false }],
      ['reshape_dims', { text: '0', quoted: true }],
    ]);
    expect(attributes(named(graph, '/padding'))).toEqual({ dst_shape: '-1,2,0,-1', dims: '1' });
    expect(attributes(named(graph, '/logits'))).toEqual({ src1_perm: '1,0', reshape: '-1,-1,2', reshape_dims: '0,1' });
    expect(attributes(named(graph, '/outer'))).toEqual({ src1_perm: '1,0', append_op: 'sum' });
  });
  it('corrects the bias of an 8-bit product by x_min · Σ weights, and makes one where there is none', async () => {
    const graph = edit(encoder({ codes: 's8' }), '/logits', (node) => {
      node.inputs[2] = '';
    });
    const { config, weights } = encodeOriginalIr(graph);
    const parsed = parseConfig(config);
    const written = parsed.operators.find(({ name }) => name === '/logits')!.inputs[2]!;
    const [offset, length] = parsed.operators[0]!.outputs.find(({ name }) => name === written)!.location!;
    const bias = new Float32Array(new Uint8Array(Buffer.concat(weights).subarray(offset, offset + length)).buffer);
    const codes = graph.constant('logits.weight_quantized')!.data as Int8Array;
    const sum = (n: number): number => Array.from({ length: HIDDEN }, (_, k) => codes[k * 2 + n]!).reduce((a, b) => a + b, 0);
    expect(Array.from(bias)).toEqual([0, 1].map((n) => Math.fround((-3 * sum(n)) / (127 / 0.5))));
    const plain = (await again(graph)).constant('logits.weight_quantized:0:plain_bias')!.data as Float32Array;
    expect(plain.every((value) => Math.abs(value) < 1e-6)).toBe(true);
  });
  it('joins start and end logits where that is asked for, and says so where it is not', async () => {
    const graph = encoder({ head: 'span' });
    expect(() => encodeOriginalIr(graph)).toThrow(
      expect.objectContaining({ code: 'E_UNSUPPORTED', message: expect.stringMatching(/^1 have .*"\/split" \(Split\).*singleLogits/) }),
    );
    const read = await again(graph, { singleLogits: true });
    expect(read.outputs).toEqual(['logits']);
    const [[logits], [start, end]] = [outputs(read), outputs(graph)];
    expect(Array.from(logits!.data as Float32Array).filter((_, i) => i % 2 === 0)).toEqual(Array.from(start!.data as Float32Array));
    expect(Array.from(logits!.data as Float32Array).filter((_, i) => i % 2 === 1)).toEqual(Array.from(end!.data as Float32Array));
  });
  it('writes masks no lower than the original can exponentiate', () => {
    const masked = (value: number): Record<string, string> =>
      attributes(
        named(
          edit(encoder(), '/padding', (node) => (node.attributes = { value })),
          '/padding',
        ),
      );
    expect(masked(Number.NEGATIVE_INFINITY)).not.toHaveProperty('padding_value');
    expect(masked(-100.5)).toHaveProperty('padding_value', '-100.5');
  });
  it('stores a constant that one operator reads twice, and a weight that two share, twice', async () => {
    const graph = encoder({ codes: 's8' });
    const shared = graph.nodes.find(({ name }) => name === '/q')!.inputs[1]!;
    edit(graph, '/k', (node) => (node.inputs[1] = shared));
    edit(graph, '/context', (node) => (node.inputs[7] = node.inputs[5]!));
    const expected = outputs(graph);
    const { inputs } = named(graph, '/context/scores');
    expect(new Set(inputs).size).toBe(7);
    expect(named(graph, '/k').inputs[1]).not.toBe(named(graph, '/q').inputs[1]);
    expectClose(outputs(await again(graph)), expected, 1e-5);
  });
  it('gives dense products whose range is one for all channels a range each', () => {
    const graph = encoder({ codes: 's8' });
    const whole = graph.addConstant('whole', { dtype: 'f32', dims: [1], data: Float32Array.of(-0.5) });
    edit(graph, '/q', (node) => (node.inputs[6] = whole));
    const { outputs: tensors } = parseConfig(encodeOriginalIr(graph).config).operators[0]!;
    expect(tensors.find(({ name }) => name === named(graph, '/q').inputs[5])!.shape).toEqual([HIDDEN]);
  });

  const refusals: [string, () => Graph, RegExp][] = [
    ['an operator that is not there', () => withNode(encoder(), 'Erf'), /"\/extra" \(Erf\): there is no such operator/],
    ['embeddings without positions', () => edit(encoder(), '/embedded', (node) => (node.inputs[2] = '')), /no position table/],
    [
      'u8 with a zero point and no activation',
      () => edit(encoder({ codes: 's8' }), '/inner', (node) => (node.attributes = { ...node.attributes, activation: 'none' })),
      /zero point/,
    ],
    [
      'an activation behind a residual',
      () => edit(encoder(), '/out', (node) => (node.attributes = { ...node.attributes, activation: 'relu' })),
      /relu after adding a residual/,
    ],
    [
      'layouts that meet without a Reorder',
      () => transposedProduct(encoder({ codes: 's8', transposed: true })),
      /no Reorder stands between/,
    ],
    [
      'a mask that is no mask of padding',
      () => {
        const graph = encoder();
        graph.addValue({ name: 'bias', dtype: 'f32', shape: [1, 1, 1, 1] });
        graph.inputs.push('bias');
        return edit(graph, '/context', (node) => (node.inputs[3] = 'bias'));
      },
      /no mask of padding/,
    ],
    [
      'a product that rounds its result',
      () => edit(encoder(), '/out', (node) => (node.attributes = { ...node.attributes, rounding: 'bf16' })),
      /"\/out" \(InnerProduct\): its result is rounded to bf16; quantise with fp32 between/,
    ],
  ];
  it.each(refusals)('refuses %s', (_, build, reason) => {
    expect(() => encodeOriginalIr(build())).toThrow(
      expect.objectContaining({ code: 'E_UNSUPPORTED', message: expect.stringMatching(reason) }),
    );
  });
  it('saves a folder', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ne-original-'));
    try {
      await writeOriginalIr(encoder(), join(folder, 'ir'));
      expect(readdirSync(join(folder, 'ir')).sort()).toEqual(['conf.yaml', 'model.bin']);
      expectSameGraph(await readIr(join(folder, 'ir')), encoder());
      await expect(writeOriginalIr(encoder(), join(folder, 'ir'))).rejects.toMatchObject({ code: 'E_CANTCREAT' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function withNode(graph: Graph, op: string): Graph {
  graph.addValue({ name: 'extra', dtype: 'f32', shape: graph.value(graph.outputs[0]!).shape });
  graph.nodes.push({ name: '/extra', op, inputs: [graph.outputs[0]!], outputs: ['extra'], attributes: {} });
  graph.outputs = ['extra'];
  return graph;
}

function npy(path: string): Tensor {
  const bytes = readFileSync(path);
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, start);
  const dims = /\(([^)]*)\)/
    .exec(header)![1]!
    .split(',')
    .filter((part) => part.trim())
    .map(Number);
  return {
    dtype: header.includes('<i4') ? 's32' : 's64',
    dims,
    data: viewBytes(header.includes('<i4') ? 's32' : 's64', new Uint8Array(bytes.subarray(start))),
  };
}

describe.runIf(hasGolden)('genuine files', () => {
  it.each([
    ['small128', 'fp32-ir-1.3'],
    ['small128', 'int8-ir-1.1'],
    ['small128', 'int8-ir-1.3'],
    ['small128', 'int8-transposed-ir-1.3'],
    ['bert256', 'int8-ir-1.3'],
    ['bert256', 'int8-mha-ir-1.3'],
    ['bert256', 'int8-transposed-ir-1.3'],
    ['d384', 'int8-ir-1.3'],
    ['d384', 'int8-transposed-ir-1.3'],
  ])('%s/%s, written and read again, is the same graph with the same values', async (model, ir) => {
    const graph = await readIr(join(golden, model, ir));
    const read = await again(graph);
    expectSameGraph(read, graph);
    const given = Object.fromEntries(
      graph.inputs.map((name) => [name, firstTokens(npy(join(golden, model, 'inputs', `b1s64.${name}.npy`)), 4)]),
    );
    expectClose(outputs(read, given), outputs(graph, given), 1e-4);
  });
  it.each([
    ['small128', 'fp32-ir-1.3', ['PaddingSequence']],
    ['small128', 'int8-ir-1.3', ['PaddingSequence']],
    ['d384', 'int8-ir-1.3', []],
  ])('%s/%s is written with the operators and attributes it had', async (model, ir, others) => {
    const folder = join(golden, model, ir);
    const spell = (list: readonly IrOperator[]): unknown[] =>
      list.map(({ type, attributes }) => [type, (others as string[]).includes(type) ? '' : [...(attributes ?? [])]]);
    const genuine = parseConfig(readFileSync(join(folder, 'conf.yaml'), 'utf8')).operators.slice(1, -1);
    expect(spell(operators(await readIr(folder)))).toEqual(spell(genuine));
  });
});

function firstTokens(ids: Tensor, count: number): Tensor {
  return s32([1, count], Array.from(ids.data as ArrayLike<number | bigint>, Number).slice(0, count));
}
