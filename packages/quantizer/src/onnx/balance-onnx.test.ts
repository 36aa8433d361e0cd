import { compile } from '@neural-engine/compiler';
import type { Tensor } from '@neural-engine/core';
import { evaluateGraph } from '@neural-engine/ir';
import { encodeModel, makeModel, makeNode, makeTensor, makeValueInfo, type OnnxModel } from '@neural-engine/onnx';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { f32 } from '../__fixtures__/sample';
import { type OnnxRunner, quantizeOnnx } from '../index';

const [HIDDEN, FFN, OUTLIER, NEURON] = [16, 64, 3, 21];
const wave = (n: number, seed: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(i * 12.9898 + seed) * 0.3);

/** LayerNorm, a product with a GELU in the exporters' spelling, a product and a residual; one feature and one neuron reach far. */
function feedForward(): OnnxModel {
  const up = wave(HIDDEN * FFN, 2).map((value, i) => value / (Math.floor(i / FFN) === OUTLIER ? 20 : 1));
  for (let k = 0; k < HIDDEN; k++) up[k * FFN + NEURON]! *= 30;
  const tensor = (name: string, dims: number[], data: ArrayLike<number>) => makeTensor(name, 'f32', dims, Float32Array.from(data));
  return makeModel(
    {
      nodes: [
        makeNode('LayerNormalization', ['x', 'gamma', 'beta'], ['n'], { name: 'norm' }),
        makeNode('MatMul', ['n', 'w1'], ['p'], { name: 'up' }),
        makeNode('Add', ['b1', 'p'], ['a'], { name: 'up_bias' }),
        makeNode('Div', ['a', 'root2'], ['d'], { name: 'gelu_div' }),
        makeNode('Erf', ['d'], ['e'], { name: 'gelu_erf' }),
        makeNode('Add', ['e', 'one'], ['f'], { name: 'gelu_add' }),
        makeNode('Mul', ['a', 'f'], ['g'], { name: 'gelu_mul' }),
        makeNode('Mul', ['g', 'half'], ['h'], { name: 'gelu_half' }),
        makeNode('MatMul', ['h', 'w2'], ['q'], { name: 'down' }),
        makeNode('Add', ['b2', 'q'], ['r'], { name: 'down_bias' }),
        makeNode('Add', ['r', 'n'], ['y'], { name: 'sum' }),
      ],
      inputs: [makeValueInfo('x', 'f32', ['batch', 5, HIDDEN])],
      outputs: [makeValueInfo('y', 'f32', ['batch', 5, HIDDEN])],
      initializers: [
        tensor(
          'gamma',
          [HIDDEN],
          wave(HIDDEN, 1).map((value, i) => (i === OUTLIER ? 20 : 1 + value)),
        ),
        tensor('beta', [HIDDEN], wave(HIDDEN, 3)),
        tensor('w1', [HIDDEN, FFN], up),
        tensor('b1', [FFN], wave(FFN, 4)),
        tensor('root2', [], [Math.SQRT2]),
        tensor('one', [], [1]),
        tensor('half', [], [0.5]),
        tensor('w2', [FFN, HIDDEN], wave(FFN * HIDDEN, 5)),
        tensor('b2', [HIDDEN], wave(HIDDEN, 6)),
      ],
    },
    { opsets: 17 },
  );
}

const ort: OnnxRunner = async (model) => {
  // Exact products of u8 by s8, which otherwise saturate on CPUs without VNNI.
  const extra = { session: { x64quantprecision: '1' } };
  const session = await InferenceSession.create(encodeModel(model), { logSeverityLevel: 3, intraOpNumThreads: 1, extra });
  return {
    async run(feeds) {
      const { data, dims } = feeds['x']!;
      const results = await session.run({ x: new OrtTensor('float32', data as Float32Array, [...dims]) });
      return Object.fromEntries(
        Object.entries(results).map(([name, value]) => [name, { dtype: 'f32', dims: [...value.dims], data: value.data as Float32Array }]),
      );
    },
    close: () => session.release(),
  };
};
const feeds = (seed: number): Record<string, Tensor> => ({ x: f32([1, 5, HIDDEN], wave(5 * HIDDEN, seed)) });
const calibration = { samples: [10, 11, 12, 13, 14, 15].map(feeds), method: 'mse' } as const;

async function outputOf(model: OnnxModel): Promise<Float32Array> {
  const session = await ort(model, []);
  const { y } = await session.run(feeds(20));
  await session.close();
  return y!.data as Float32Array;
}
const distance = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);

describe('channels that reach far, in ONNX', () => {
  it('are coded apart, nearer to f32 in ONNX Runtime, and compile to the form that the engine makes itself', async () => {
    const source = feedForward();
    const [plain, balanced] = await Promise.all(
      [false, true].map((balance) => quantizeOnnx(source, { precision: 'int8', calibration, run: ort, recipe: { balance } })),
    );
    const want = await outputOf(source);
    const got = await outputOf(balanced!.model);
    expect(distance(want, got)).toBeLessThan(distance(want, await outputOf(plain!.model)) / 4);
    const graph = compile(balanced!.model);
    expect(graph.nodes.map(({ op }) => op).sort()).toEqual(
      ['LayerNorm', 'LayerNorm', 'Quantize', 'InnerProduct', 'InnerProduct', 'InnerProduct', 'InnerProduct'].sort(),
    );
    const ours = evaluateGraph(graph, feeds(20)).get('y')!.data as Float32Array;
    expect(distance(ours, got)).toBeLessThan(distance(want, got) / 4);
  });
  it('are coded apart with bf16 between as well: the LayerNorms of the codes and of the sum both round', async () => {
    const { model } = await quantizeOnnx(feedForward(), {
      precision: 'int8',
      calibration,
      run: ort,
      recipe: { balance: true, between: 'bf16' },
    });
    const graph = compile(model);
    expect(graph.nodes.filter(({ op }) => op === 'Mul' || op === 'Cast')).toEqual([]);
    const norms = graph.nodes.filter(({ op }) => op === 'LayerNorm');
    expect(norms.map(({ attributes }) => attributes['rounding'])).toEqual(['bf16', 'bf16']);
    const ours = evaluateGraph(graph, feeds(20)).get('y')!.data as Float32Array;
    const got = await outputOf(model);
    expect(distance(ours, got)).toBeLessThan(distance(await outputOf(feedForward()), got) / 4);
  });
  it('stay together where something else than an activation stands between the products', async () => {
    const source = feedForward();
    const half = source.graph.nodes.find(({ name }) => name === 'gelu_half')!;
    half.opType = 'Softmax';
    half.inputs = ['g'];
    const { model } = await quantizeOnnx(source, { precision: 'int8', calibration, run: ort, recipe: { balance: true } });
    expect(model.graph.nodes.filter(({ opType }) => opType === 'MatMul')).toHaveLength(2);
    await outputOf(model);
  });
});
