import { demoModelPath } from '@neural-engine/demo-model';
import {
  decodeModel,
  encodeModel,
  makeGraph,
  makeModel,
  makeNode,
  makeTensor,
  makeValueInfo,
  type OnnxModel,
  readModel,
} from '@neural-engine/onnx';
import { describe, expect, it } from 'vitest';
import { encoderModel } from '../../../../tooling/models/encoder';
import { pruneModel } from './prune-model';

const SHAPE = { family: 'bert', layers: 1, hidden: 64, heads: 2, ffn: 128, vocabulary: 50, positions: 32, seed: 3 } as const;
const feeds = (seed: number) => {
  const tensor = (value: (i: number) => number) => ({
    dtype: 's64' as const,
    dims: [1, 12],
    data: BigInt64Array.from({ length: 12 }, (_, i) => BigInt(value(i))),
  });
  return { input_ids: tensor((i) => (i * 7 + seed) % 50), attention_mask: tensor(() => 1), token_type_ids: tensor(() => 0) };
};

/** y = x · W, where W is stored as `dtype` and reaches the product in `form`. */
function single(form: 'plain' | 'transposed' | 'gemm' | 'cast' | 'quantized' | 'tied'): OnnxModel {
  const [out, inputs] = [16, 8];
  const values = Float32Array.from({ length: out * inputs }, (_, i) => Math.sin(i + 1) * (1 + (i % 5)));
  const outFirst = form === 'transposed' || form === 'gemm';
  const dims = outFirst ? [out, inputs] : [inputs, out];
  const nodes = [];
  const tensors = [];
  let weight = 'w';
  if (form === 'quantized') {
    tensors.push(
      makeTensor(
        'w',
        's8',
        dims,
        Int8Array.from(values, (value) => Math.round(value * 20)),
      ),
    );
    tensors.push(makeTensor('scale', 'f32', [out], new Float32Array(out).fill(0.05)));
    nodes.push(makeNode('DequantizeLinear', ['w', 'scale'], ['w32'], { name: 'dq', attributes: { axis: { type: 'int', value: 1n } } }));
    weight = 'w32';
  } else if (form === 'cast') {
    tensors.push(
      makeTensor(
        'w',
        'f16',
        dims,
        Uint16Array.from(values, (_, i) => 0x3c00 + i),
      ),
    );
    nodes.push(makeNode('Cast', ['w'], ['w32'], { name: 'cast', attributes: { to: { type: 'int', value: 1n } } }));
    weight = 'w32';
  } else tensors.push(makeTensor('w', 'f32', dims, values));
  if (form === 'transposed') {
    nodes.push(makeNode('Transpose', ['w'], ['wt'], { name: 'turn' }));
    weight = 'wt';
  }
  if (form === 'gemm')
    nodes.push(makeNode('Gemm', ['x', 'w'], ['y'], { name: 'product', attributes: { transB: { type: 'int', value: 1n } } }));
  else nodes.push(makeNode('MatMul', ['x', weight], ['y'], { name: 'product' }));
  if (form === 'tied') nodes.push(makeNode('ReduceSum', ['w'], ['sum'], { name: 'other' }));
  return makeModel(
    makeGraph({
      nodes,
      inputs: [makeValueInfo('x', 'f32', ['n', inputs])],
      outputs: [makeValueInfo('y', 'f32', ['n', out])],
      initializers: tensors,
    }),
  );
}

describe('pruneModel', () => {
  it.each(['plain', 'transposed', 'gemm', 'cast', 'quantized'] as const)('prunes a weight in the form "%s"', async (form) => {
    const before = single(form);
    const { model, layers } = await pruneModel(before, { sparsity: 0.5 });
    expect(layers).toMatchObject([{ node: 'product', initializer: 'w', out: 16, in: 8, after: 0.5, reason: 'by size' }]);
    const [was, is] = [before, model].map(({ graph }) => graph.initializers.get('w')!);
    expect([is!.dtype, is!.dims]).toEqual([was!.dtype, was!.dims]);
    const data = Array.from(is!.data() as Float32Array);
    expect(data.filter((value) => value === 0)).toHaveLength(64);
    expect(data.every((value, i) => value === 0 || value === (was!.data() as Float32Array)[i])).toBe(true);
  });

  it('changes nothing but the initializers of products, and not the argument', async () => {
    const before = encoderModel(SHAPE);
    const bytes = encodeModel(before);
    const { model, layers } = await pruneModel(before, { sparsity: 0.75 });
    expect(encodeModel(before)).toEqual(bytes);
    const after = decodeModel(encodeModel(model));
    expect(after.graph.nodes).toEqual(decodeModel(bytes).graph.nodes);
    const changed = [...before.graph.initializers].filter(
      ([name, tensor]) => !Buffer.from(tensor.bytes()).equals(Buffer.from(after.graph.initializers.get(name)!.bytes())),
    );
    expect(changed.map(([name]) => name).sort()).toEqual(
      ['ffn1', 'ffn2', 'key', 'output', 'query', 'value'].map((part) => `layer.0.${part}.weight`),
    );
    expect(layers.filter(({ after: zeros }) => zeros === 0.75)).toHaveLength(6);
    expect(layers.find(({ out }) => out === 2)).toMatchObject({ after: 0, reason: 'a head of 2 channels' });
  });

  it('keeps more of what the samples show than by size alone', async () => {
    const model = encoderModel(SHAPE);
    const { layers } = await pruneModel(model, { sparsity: 0.5, samples: [feeds(1), feeds(2)], threads: 1 });
    const pruned = layers.filter(({ out }) => out !== 2);
    expect(pruned.map(({ reason }) => reason)).toEqual(pruned.map(() => 'by weight times input'));
    for (const { kept, after } of pruned) {
      expect(after).toBeCloseTo(0.5, 5);
      expect(kept).toBeGreaterThan(0.5);
    }
  });

  it('leaves alone what it is told to and what others read, and says why', async () => {
    await expect(pruneModel(single('tied'), { sparsity: 0.5 })).rejects.toThrow('no product with a constant weight');
    const model = encoderModel(SHAPE);
    const product = model.graph.nodes.find(({ inputs }) => inputs.includes('layer.0.ffn1.weight'))!;
    const { layers } = await pruneModel(model, { sparsity: 0.5, keep: [product.name] });
    expect(layers.find(({ node }) => node === product.name)).toMatchObject({ after: 0, reason: 'kept by name' });
    await expect(pruneModel(model, { sparsity: 0.5, keep: ['nothing'] })).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(pruneModel(model, { sparsity: 2 })).rejects.toMatchObject({ code: 'E_USAGE' });
  });

  it('finds all products of the embedded model, whose weights are codes', async () => {
    const model = await readModel(demoModelPath());
    const { layers } = await pruneModel(model, { sparsity: 0.9 });
    const pruned = layers.filter(({ after }) => after !== null && after > 0.89);
    expect(pruned).toHaveLength(36);
    for (const { before, after } of pruned) {
      expect(before).toBeGreaterThan(0.79);
      expect(after).toBeCloseTo(0.9, 2);
    }
  });
});
