import { readdirSync } from 'node:fs';
import { EngineError, type Shape } from '@neural-engine/core';
import type { Graph } from '@neural-engine/ir';
import { readModel } from '@neural-engine/onnx';
import { describe, expect, it } from 'vitest';
import { expectSameOutputs, type GraphBuilder, graphOf, opsOf } from './__fixtures__/build-graph';
import { readNpz } from './__fixtures__/npz';
import { distance, runGraph } from './__fixtures__/run-graph';
import { SHARED } from './__fixtures__/shared-folder';
import { compile } from './compile';
import { explainer, formatReport } from './explain';
import { importModel } from './import';
import { PIPELINE } from './pipeline';

function histogram(graph: Graph): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { op } of graph.nodes) counts[op] = (counts[op] ?? 0) + 1;
  return counts;
}

/** One post-norm encoder layer with a mask, spelled out. */
function layer(b: GraphBuilder, x: string, mask: string, [h, heads]: [number, number]): string {
  const linear = (from: string, k: number, n: number, seed: number): string =>
    b.op('Add', [b.op('MatMul', [from, b.weight([k, n], seed)]), b.weight([n], seed + 1)]);
  const split = (from: string, seed: number, perm: number[]): string =>
    b.op('Transpose', [b.op('Reshape', [linear(from, h, h, seed), b.ints(0, 0, heads, h / heads)])], { perm });
  const norm = (from: string): string => {
    const centred = b.op('Sub', [from, b.op('ReduceMean', [from, b.ints(-1)])]);
    const variance = b.op('ReduceMean', [b.op('Pow', [centred, b.scalar(2)]), b.ints(-1)]);
    const plain = b.op('Div', [centred, b.op('Sqrt', [b.op('Add', [variance, b.scalar(1e-5)])])]);
    return b.op('Add', [b.op('Mul', [plain, b.weight([h], 8)]), b.weight([h], 9)]);
  };
  const scores = b.op('Div', [b.op('MatMul', [split(x, 1, [0, 2, 1, 3]), split(x, 2, [0, 2, 3, 1])]), b.scalar(2)]);
  const context = b.op('MatMul', [b.op('Softmax', [b.op('Add', [scores, mask])]), split(x, 3, [0, 2, 1, 3])]);
  const merged = b.op('Reshape', [b.op('Transpose', [context], { perm: [0, 2, 1, 3] }), b.ints(0, 0, h)]);
  const attended = norm(b.op('Add', [linear(merged, h, h, 4), x]));
  const inner = linear(attended, h, 2 * h, 5);
  const erf = b.op('Add', [b.op('Erf', [b.op('Div', [inner, b.scalar(Math.SQRT2)])]), b.scalar(1)]);
  const gelu = b.op('Mul', [b.op('Mul', [inner, erf]), b.scalar(0.5)]);
  return norm(b.op('Add', [linear(gelu, 2 * h, h, 6), attended]));
}

const encoder = (): Graph =>
  graphOf((b) => {
    const x = b.input('x', 'f32', ['batch', 'seq', 8]);
    const mask = b.input('mask', 's64', ['batch', 'seq']);
    const additive = b.op('Where', [b.op('Cast', [b.op('Unsqueeze', [mask, b.ints(1, 2)])], { to: 'bool' }), b.scalar(0), b.scalar(-1e38)]);
    return layer(b, layer(b, x, additive, [8, 2]), additive, [8, 2]);
  });

const FUSED = { PaddingMask: 1, InnerProduct: 12, Attention: 2, LayerNorm: 4 };

describe('compile', () => {
  it('fuses an encoder completely and computes the same', () => {
    const before = encoder();
    const after = compile(before);
    expect(histogram(after)).toEqual(FUSED);
    expectSameOutputs(before, after, { maxAbs: 1e-5 });
  });

  it('changes nothing more when it compiles its own result', () => {
    const once = compile(encoder());
    const told = explainer();
    expect(compile(once, { explain: told.explain })).toEqual(once);
    expect(told.report().filter(({ hits }) => hits > 0)).toEqual([]);
  });

  it('does not change its argument', () => {
    const graph = encoder();
    const copy = graph.clone();
    compile(graph);
    expect(graph).toEqual(copy);
  });

  it('leaves a graph that no pattern fits operator by operator', () => {
    const graph = graphOf((b) => b.op('CumSum', [b.op('Sin', [b.op('Abs', [b.input('x', 'f32', ['n', 3])])]), b.int(1)]));
    expect(opsOf(compile(graph))).toEqual(['Abs', 'Sin', 'CumSum']);
  });

  it('walks a chain of thousands of nodes without nesting calls', () => {
    const graph = graphOf((b) => {
      let x = b.input('mask', 's64', ['batch', 'seq']);
      for (let i = 0; i < 8000; i++) x = b.op(i % 2 ? 'Add' : 'Mul', [x, 'mask']);
      return b.op('Softmax', [b.op('Cast', [x], { to: 'f32' })]);
    });
    expect(compile(graph).nodes).toHaveLength(8002);
  });

  it('leaves out the passes that are switched off, and says so', () => {
    const told = explainer();
    const after = compile(encoder(), { patternSwitch: { 'fuse-gelu': false, 'fuse-attention': true }, explain: told.explain });
    expect(histogram(after)).toMatchObject({ Erf: 2, Attention: 2 });
    expect(told.report().find(({ pass }) => pass === 'fuse-gelu')).toMatchObject({ hits: 0, skipped: 'turned off' });
  });

  it('rejects a switch of an unknown pass', () => {
    const attempt = (): unknown => compile(encoder(), { patternSwitch: { 'fuse-gleu': false } });
    expect(attempt).toThrow(EngineError);
    expect(attempt).toThrow('there is no pass "fuse-gleu"');
  });

  it('rejects a graph that is not whole', () => {
    const graph = encoder();
    graph.nodes.reverse();
    expect(() => compile(graph)).toThrow(expect.objectContaining({ code: 'E_MODEL' }));
  });

  it('explains hits and near misses in lines of text', () => {
    const told = explainer();
    const graph = graphOf((b) => b.op('Gemm', [b.input('x', 'f32', [2, 3]), b.weight([3, 4])], { alpha: 2 }));
    compile(graph, { explain: told.explain });
    const text = formatReport(told.report());
    expect(text).toMatch(/^lower-gemm +0 hits {2}Gemm by a constant matrix becomes InnerProduct$/m);
    expect(text).toContain('declined Gemm "Gemm_0": it scales its operands');
  });

  it('explains what was taken for granted', () => {
    const told = explainer();
    const inputs = (b: Parameters<Parameters<typeof graphOf>[0]>[0]) => [
      b.input('input_ids', 's64', ['a', 'b']),
      b.input('attention_mask', 's64', ['c', 'd']),
    ];
    compile(
      graphOf((b) => b.op('Mul', inputs(b))),
      { explain: told.explain },
    );
    expect(formatReport(told.report())).toMatch(/^ +"input_ids", "attention_mask" are taken to be \[a, b\] together$/m);
  });

  it('gives every pass a summary and every entry a reason', () => {
    for (const { pass, reason } of PIPELINE) {
      expect(pass.name).toMatch(/^[a-z]+(-[a-z0-9]+)*$/);
      expect(pass.summary.length).toBeGreaterThan(10);
      expect(reason.length).toBeGreaterThan(10);
    }
  });

  it('works with any single pass turned off', () => {
    const before = encoder();
    for (const name of new Set(PIPELINE.map(({ pass }) => pass.name))) {
      expectSameOutputs(before, compile(before, { patternSwitch: { [name]: false } }), { maxAbs: 1e-5 });
    }
  });
});

const exportsFolder = `${SHARED}models/exports/`;
const exported = SHARED ? readdirSync(exportsFolder).filter((file) => file.endsWith('.onnx')) : [];

/** Small operators of the heads, which may stay. */
const HEADS: Readonly<Record<string, Record<string, number>>> = {
  qa: { InnerProduct: 13, Split: 1, Squeeze: 2 },
  cls: { InnerProduct: 14, Gather: 1 },
  tok: { InnerProduct: 13 },
  mlm: { InnerProduct: 14, LayerNorm: 6 },
  base: { InnerProduct: 13, Gather: 1 },
};

describe.runIf(SHARED)('real exports', () => {
  it.each(exported)('compiles %s to engine operators that compute what ONNX Runtime does', async (file) => {
    const model = await readModel(exportsFolder + file);
    const start = performance.now();
    const graph = compile(model);
    expect(performance.now() - start).toBeLessThan(5000);
    const [family, head] = file.split('-') as [string, string];
    const heads = family === 'distilbert' && head === 'base' ? { InnerProduct: 12 } : HEADS[head]!;
    expect(histogram(graph)).toEqual({ Embeddings: 1, LayerNorm: 5, PaddingMask: 1, Attention: 2, ...heads });
    for (const node of graph.nodes) if (node.op === 'Attention') expect(node.attributes['heads']).toBe(family === 'minilm' ? 4 : 2);
    const stored = readNpz(exportsFolder + file.replace('.onnx', '.npz'));
    const outputs = runGraph(graph, stored);
    for (const name of graph.outputs) expect(distance(outputs.get(name)!, stored.get(name)!), name).toBeLessThan(3e-5);
  });

  const dims: [string, (input: string) => Shape][] = [
    ['fixed', () => [3, 12]],
    ['of a fixed batch', () => [3, 'sequence']],
    ['of a fixed sequence', () => ['batch', 12]],
    ['named per input', (input) => [`batch_${input}`, `sequence_${input}`]],
    ['without names', () => [null, null]],
  ];
  const kinds = [
    'bert-qa-old-ts14',
    'bert-cls-new-sdpa-dynamo20',
    'distilbert-qa-new-sdpa-ts17',
    'distilbert-qa-old-dynamo18',
    'minilm-base-new-ts11',
  ];

  it.each(dims.flatMap(([what, shape]) => kinds.map((name) => [name, what, shape] as const)))(
    'compiles %s with dims %s',
    async (name, _, shape) => {
      const model = await readModel(`${exportsFolder}${name}.onnx`);
      for (const input of model.graph.inputs) input.shape = shape(input.name);
      const graph = compile(model);
      expect(histogram(graph)).toMatchObject({ Embeddings: 1, LayerNorm: 5, PaddingMask: 1, Attention: 2 });
      expect(graph.nodes.length).toBeLessThan(26);
      const stored = readNpz(`${exportsFolder}${name}.npz`);
      const outputs = runGraph(graph, stored);
      for (const output of graph.outputs) expect(distance(outputs.get(output)!, stored.get(output)!)).toBeLessThan(3e-5);
    },
  );

  it.each(['bert-qa-new-sdpa-ts14', 'bert-cls-old-dynamo18', 'minilm-base-new-ts11'])('imports %s operator by operator', async (name) => {
    const graph = importModel(await readModel(`${exportsFolder}${name}.onnx`));
    const stored = readNpz(`${exportsFolder}${name}.npz`);
    const outputs = runGraph(graph, stored);
    for (const output of graph.outputs) expect(distance(outputs.get(output)!, stored.get(output)!)).toBeLessThan(3e-5);
  });

  it.each(['sst2', 'emotion'])('compiles the bert-tiny %s encoder, which starts behind its embeddings', async (task) => {
    const graph = compile(await readModel(`${SHARED}data/bert-tiny/bert_tiny_${task}_encoder.onnx`));
    expect(histogram(graph)).toEqual({ InnerProduct: 14, Attention: 2, LayerNorm: 4, Gather: 1 });
  });

  it('compiles the demo model', async () => {
    const graph = compile(await readModel(`${SHARED}models/demo/model.onnx`));
    expect(histogram(graph)).toEqual({
      Embeddings: 1,
      LayerNorm: 13,
      InnerProduct: 37,
      PaddingMask: 1,
      Attention: 6,
      Split: 1,
      Squeeze: 2,
    });
    for (const node of graph.nodes)
      if (node.op === 'Attention') expect(node.attributes).toEqual({ heads: 12, scale: expect.closeTo(32 ** -0.5, 6) });
  });

  it.each([
    [
      'models/demo/int8-model.onnx',
      { Embeddings: 1, LayerNorm: 13, Quantize: 13, InnerProduct: 37, PaddingMask: 1, Attention: 6, Split: 1, Squeeze: 2 },
    ],
    [
      'reference/golden/d384/model-int8-qdq.onnx',
      { Embeddings: 1, LayerNorm: 5, Quantize: 5, InnerProduct: 13, PaddingMask: 1, Attention: 2, Split: 1, Squeeze: 2 },
    ],
    [
      'reference/golden/small128/model-int8-qdq.onnx',
      { Embeddings: 1, LayerNorm: 5, Quantize: 5, InnerProduct: 13, PaddingMask: 1, Attention: 2, Split: 1, Squeeze: 2 },
    ],
    [
      'reference/golden/bert256/model-int8-qdq.onnx',
      { Embeddings: 1, LayerNorm: 5, Quantize: 4, InnerProduct: 14, PaddingMask: 1, Attention: 2, Gather: 1 },
    ],
  ])('lifts %s to 8-bit products', async (path, want) => {
    const graph = compile(await readModel(SHARED + path));
    expect(histogram(graph)).toEqual(want);
    const products = graph.nodes.filter((node) => node.op === 'InnerProduct');
    const quantized = products.filter((node) => graph.value(node.inputs[1]!).dtype === 's8');
    expect(products.length - quantized.length).toBe(path.includes('bert256') ? 2 : 0);
  });
});
