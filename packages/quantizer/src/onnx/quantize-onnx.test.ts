import { compile } from '@neural-engine/compiler';
import type { Tensor } from '@neural-engine/core';
import { evaluateGraph } from '@neural-engine/ir';
import { decodeModel, encodeModel, makeNode, makeTensor, type OnnxModel, type OnnxTensor } from '@neural-engine/onnx';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { type EncoderShape, encoderModel } from '../../../../tooling/models/encoder';
import { type OnnxRunner, quantizeOnnx } from '../index';
import { roundValues } from './round-between';

const SHAPE: EncoderShape = {
  family: 'bert',
  layers: 2,
  hidden: 64,
  heads: 2,
  ffn: 128,
  vocabulary: 100,
  positions: 64,
  sparsity: 0,
  seed: 7,
};

/** Runs ONNX models by ONNX Runtime: the adapter that the README shows. */
const ort: OnnxRunner = async (model) => {
  // Exact products of u8 by s8, which otherwise saturate on CPUs without VNNI.
  const extra = { session: { x64quantprecision: '1' } };
  const session = await InferenceSession.create(encodeModel(model), { logSeverityLevel: 3, intraOpNumThreads: 1, extra });
  return {
    async run(feeds) {
      const given = Object.entries(feeds).map(([name, { data, dims }]) => [name, new OrtTensor('int64', data as BigInt64Array, [...dims])]);
      const results = await session.run(Object.fromEntries(given) as Record<string, OrtTensor>);
      return Object.fromEntries(
        Object.entries(results).map(([name, { data, dims }]) => [name, { dtype: 'f32', dims: [...dims], data: data as Float32Array }]),
      );
    },
    close: () => session.release(),
  };
};

function sample(model: OnnxModel, seed: number, batch = 1, sequence = 24): Record<string, Tensor> {
  const tensor = (element: (i: number) => number): Tensor => ({
    dtype: 's64',
    dims: [batch, sequence],
    data: BigInt64Array.from({ length: batch * sequence }, (_, i) => BigInt(element(i))),
  });
  const columns: Record<string, Tensor> = {
    input_ids: tensor((i) => (i * 31 + seed * 7 + (i % 5) * seed) % 100),
    attention_mask: tensor(() => 1),
    token_type_ids: tensor((i) => Number(i % sequence > 9)),
  };
  return Object.fromEntries(model.graph.inputs.map(({ name }) => [name, columns[name]!]));
}

async function run(model: OnnxModel, feeds: Record<string, Tensor>): Promise<Float32Array> {
  const session = await ort(model, []);
  const outputs = await session.run(feeds);
  await session.close();
  return Float32Array.from(model.graph.outputs.flatMap(({ name }) => [...(outputs[name]!.data as Float32Array)]));
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

const opsOf = (model: OnnxModel): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { opType } of model.graph.nodes) counts[opType] = (counts[opType] ?? 0) + 1;
  return counts;
};

/** Every product by a matrix on rows [batch · sequence, inputs], as some exporters write it. */
function flattened(model: OnnxModel): OnnxModel {
  const { initializers } = model.graph;
  const tensors = [s64('flat_0', [0]), s64('flat_2', [2]), ...['64', '128', '2'].map((width) => s64(`flat_${width}_`, [Number(width)]))];
  const rows = (width: number): OnnxTensor => s64(`flat_rows_${width}`, [-1, width]);
  const nodes = model.graph.nodes.flatMap((node) => {
    const [x, weight] = node.inputs as [string, string];
    const dims = initializers.get(weight)?.dims;
    if (node.opType !== 'MatMul' || dims?.length !== 2) return [node];
    const y = node.outputs[0]!;
    return [
      makeNode('Reshape', [x, `flat_rows_${dims[0]}`], [`${y}_x`]),
      { ...node, inputs: [`${y}_x`, weight], outputs: [`${y}_rows`] },
      makeNode('Shape', [x], [`${y}_shape`]),
      makeNode('Slice', [`${y}_shape`, 'flat_0', 'flat_2'], [`${y}_lead`]),
      makeNode('Concat', [`${y}_lead`, `flat_${dims[1]}_`], [`${y}_dims`], { attributes: { axis: { type: 'int', value: 0n } } }),
      makeNode('Reshape', [`${y}_rows`, `${y}_dims`], [y]),
    ];
  });
  const added = [...tensors, rows(64), rows(128)].map((tensor) => [tensor.name, tensor] as const);
  return { ...model, graph: { ...model.graph, nodes, initializers: new Map([...initializers, ...added]) } };
}

const s64 = (name: string, values: number[]): OnnxTensor => makeTensor(name, 's64', [values.length], BigInt64Array.from(values, BigInt));

/** A mask without its last tokens. */
const shorter = ({ dtype, dims }: Tensor): Tensor => ({
  dtype,
  dims,
  data: BigInt64Array.from({ length: dims[0]! * dims[1]! }, (_, i) => BigInt(i % dims[1]! < dims[1]! - 5)),
});

describe('quantizeOnnx', () => {
  let source: OnnxModel;
  let calibration: { samples: Record<string, Tensor>[] };
  beforeAll(() => {
    source = decodeModel(encodeModel(encoderModel(SHAPE)));
    calibration = { samples: [1, 2, 3, 4].map((seed) => sample(source, seed)) };
  });

  it.each(['int8', 'dynamic-int8', 'bf16'] as const)(
    'writes %s with bf16 between as casts, which compile to roundings again',
    async (precision) => {
      const options = { precision, calibration, run: ort };
      const { model, left } = await quantizeOnnx(source, { ...options, recipe: { between: 'bf16' } });
      expect(left).toEqual([]);
      const read = decodeModel(encodeModel(model));
      const graph = compile(read);
      const rounded = graph.nodes.filter(({ attributes }) => attributes['rounding'] === 'bf16').map(({ op }) => op);
      // Behind the embeddings, and two products and two LayerNorms a layer; the last one is read by the head alone.
      expect(rounded).toEqual(['LayerNorm', ...Array(4).fill(['InnerProduct', 'LayerNorm']).flat().slice(0, -1)]);
      expect(graph.nodes.some(({ op }) => op === 'Cast')).toBe(false);
      const feeds = sample(source, 9, 2);
      const [got, plain] = [await run(read, feeds), await run((await quantizeOnnx(source, options)).model, feeds)];
      expect(got).not.toEqual(plain);
      expect(cosine(got, plain)).toBeGreaterThan(0.999);
      const values = evaluateGraph(graph, feeds);
      const own = Float32Array.from(graph.outputs.flatMap((name) => [...(values.get(name)!.data as Float32Array)]));
      expect(cosine(own, got)).toBeGreaterThan(0.999);
    },
  );
  it('names a value that no node of the file makes, and leaves it', () => {
    const { model, left } = roundValues(source, ['nobody']);
    expect(left).toEqual(['nobody']);
    expect(opsOf(model)).toEqual(opsOf(source));
  });

  it('writes Q/DQ pairs that ONNX Runtime runs, and that compile to the engine int8 forms', async () => {
    const { model, products, attentions, left } = await quantizeOnnx(source, { precision: 'int8', calibration, run: ort });
    expect({ products, attentions, left }).toEqual({ products: 12, attentions: 0, left: [] });
    const read = decodeModel(encodeModel(model));
    const feeds = sample(source, 9, 2);
    const similarity = cosine(await run(read, feeds), await run(source, feeds));
    expect(similarity).toBeGreaterThan(0.995);
    expect(similarity).toBeLessThan(1);
    const graph = compile(read);
    const integers = graph.nodes.filter((node) => node.op === 'InnerProduct' && graph.constant(node.inputs[1])?.dtype === 's8');
    expect(integers).toHaveLength(12);
    expect(graph.nodes.some((node) => node.op.endsWith('Linear'))).toBe(false);
  });
  it('observes what the products of flattened rows read, padding left out', async () => {
    const flat = flattened(source);
    const feeds = calibration.samples.map((each) => ({ ...each, attention_mask: shorter(each['attention_mask']!) }));
    const quantized = (model: OnnxModel) => quantizeOnnx(model, { precision: 'int8', calibration: { samples: feeds }, run: ort });
    const [of, plain] = [await quantized(flat), await quantized(source)];
    expect([of.products, of.left]).toEqual([12, []]);
    // Each product of flattened rows has a Reshape, and so a pair, of its own.
    const scales = ({ model }: typeof of): Set<number> =>
      new Set(
        [...model.graph.initializers.values()].flatMap((tensor) =>
          tensor.name.includes('scale') && tensor.dims.length === 0 ? [Number(tensor.data()[0])] : [],
        ),
      );
    expect(scales(of)).toEqual(scales(plain));
    expect(await run(of.model, sample(source, 9, 2))).toEqual(await run(plain.model, sample(source, 9, 2)));
  });
  it.each(['int8', 'dynamic-int8'] as const)(
    'writes %s for each of the products of flattened rows that share a weight',
    async (precision) => {
      const { initializers, nodes } = source.graph;
      const first = (name: string): string => name.replace(/^layer\.1\./, 'layer.0.');
      const shared = { ...source.graph, nodes: nodes.map((node) => ({ ...node, inputs: node.inputs.map(first) })) };
      const { model, products, left } = await quantizeOnnx(flattened({ ...source, graph: { ...shared, initializers } }), {
        precision,
        calibration,
        run: ort,
      });
      expect([products, left]).toEqual([12, []]);
      const makers = new Map(model.graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node.opType])));
      const float = model.graph.nodes.filter(({ opType, inputs }) => opType === 'MatMul' && initializers.has(inputs[1]!));
      // The head stays as it is.
      expect(float).toHaveLength(1);
      const integers = model.graph.nodes.filter(
        ({ opType, inputs }) => opType === 'MatMulInteger' || makers.get(inputs[1]!) === 'DequantizeLinear',
      );
      expect(integers.filter(({ opType }) => opType.startsWith('MatMul'))).toHaveLength(12);
      const codes = integers.map(({ inputs }) => makers.get(inputs[0]!));
      expect(new Set(codes)).toEqual(new Set([precision === 'int8' ? 'DequantizeLinear' : 'DynamicQuantizeLinear']));
      const feeds = sample(source, 9, 2);
      expect(cosine(await run(model, feeds), await run({ ...source, graph: shared }, feeds))).toBeGreaterThan(0.995);
    },
  );
  it('puts pairs around attention on demand', async () => {
    const options = { precision: 'int8', calibration, run: ort, attention: true } as const;
    const { model, attentions } = await quantizeOnnx(source, options);
    expect(attentions).toBe(2);
    const feeds = sample(source, 9, 2);
    expect(cosine(await run(model, feeds), await run(source, feeds))).toBeGreaterThan(0.99);
    const graph = compile(decodeModel(encodeModel(model)));
    expect(graph.nodes.filter((node) => node.op === 'Attention').map((node) => node.attributes['output_dtype'])).toEqual(['u8', 'u8']);
  });
  it('stores weights in a quarter of their bytes and leaves the argument alone', async () => {
    const before = encodeModel(source);
    const { model } = await quantizeOnnx(source, { precision: 'int8', calibration, run: ort });
    expect(Buffer.compare(encodeModel(source), before)).toBe(0);
    const bytes = (each: OnnxModel): number => [...each.graph.initializers.values()].reduce((sum, tensor) => sum + tensor.byteLength, 0);
    const tables = 4 * 64 * (100 + 64 + 2);
    expect(bytes(model) - tables).toBeLessThan(0.35 * (bytes(source) - tables));
  });
  it('writes integer products with ranges found at run time, which need no runner', async () => {
    const { model, products, attentions } = await quantizeOnnx(source, { precision: 'dynamic-int8' });
    expect({ products, attentions }).toEqual({ products: 12, attentions: 0 });
    // Queries, keys and values share the codes of their input.
    expect(opsOf(model)).toMatchObject({ MatMulInteger: 12, DynamicQuantizeLinear: 8 });
    const feeds = sample(source, 9, 2);
    expect(cosine(await run(model, feeds), await run(source, feeds))).toBeGreaterThan(0.995);
    const graph = compile(decodeModel(encodeModel(model)));
    expect(graph.nodes.filter((node) => node.op === 'DynamicQuantize')).toHaveLength(8);
    expect(graph.nodes.some((node) => /Integer|Linear/.test(node.op))).toBe(false);
  });
  it('rounds to bf16, which needs no runner either', async () => {
    const { model, products } = await quantizeOnnx(source, { precision: 'bf16' });
    expect(products).toBe(12);
    const feeds = sample(source, 9, 2);
    expect(cosine(await run(model, feeds), await run(source, feeds))).toBeGreaterThan(0.999);
  });
  it('keeps in f32 what the recipe keeps', async () => {
    const keep = compile(source)
      .nodes.filter((node) => node.op === 'InnerProduct')
      .slice(0, 1)
      .map((node) => node.name);
    const { products } = await quantizeOnnx(source, { precision: 'dynamic-int8', recipe: { keep } });
    expect(products).toBe(11);
  });
  it.each(['int8', 'dynamic-int8'] as const)('writes %s with the products in bf16 that the recipe puts there', async (precision) => {
    const [half, ...others] = compile(source).nodes.flatMap(({ op, name }) => (op === 'InnerProduct' ? [name] : []));
    const recipe = { layers: { [half!]: 'bf16' as const } };
    const { model, products } = await quantizeOnnx(source, { precision, recipe, calibration, run: ort });
    expect(products).toBe(11);
    const again = compile(model);
    const dtypes = again.nodes.flatMap(({ op, inputs }) => (op === 'InnerProduct' ? [again.constant(inputs[1])!.dtype] : []));
    const count = (dtype: string): number => dtypes.filter((each) => each === dtype).length;
    expect([count('bf16'), count('s8'), count('f32')]).toEqual([1, 11, others.length - 11]);
    const feeds = sample(source, 9, 2);
    expect(cosine(await run(model, feeds), await run(source, feeds))).toBeGreaterThan(0.99);
  });
  it('refuses what is quantised already, in any form (Q9)', async () => {
    for (const precision of ['int8', 'dynamic-int8'] as const) {
      const { model } = await quantizeOnnx(source, { precision, calibration, run: ort });
      await expect(quantizeOnnx(model, { precision: 'dynamic-int8' })).rejects.toMatchObject({ code: 'E_QUANT' });
    }
  });
  it('refuses static int8 without samples or runner, fp32 and old opsets', async () => {
    await expect(quantizeOnnx(source, { precision: 'int8', run: ort })).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(quantizeOnnx(source, { precision: 'int8', calibration })).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(quantizeOnnx(source, { precision: 'fp32' as 'int8' })).rejects.toMatchObject({ code: 'E_USAGE' });
    const old = { ...source, opsets: new Map([['', 12]]) };
    await expect(quantizeOnnx(old, { precision: 'dynamic-int8' })).rejects.toMatchObject({
      code: 'E_UNSUPPORTED',
      message: expect.stringContaining('opset 12'),
    });
  });
});
