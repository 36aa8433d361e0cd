import type { DType, Tensor } from '@neural-engine/core';
import type { Graph } from '@neural-engine/ir';
import { describe, expect, it } from 'vitest';
import { feedsFor, type GraphBuilder, graphOf, noise, opsOf, reasonsOf, run } from '../__fixtures__/build-graph';
import { distance, runGraph } from '../__fixtures__/run-graph';
import { compile } from '../compile';
import { emptyContext } from '../rewrite';
import { collectQuantization, expandDynamicQuantization, expandQLinearMatMul } from './collect-quantization';

const [K, N] = [8, 6];
const code = (b: GraphBuilder, dtype: DType, value: number): string =>
  b.constant({ dtype, dims: [], data: dtype === 'u8' ? Uint8Array.of(value) : Int8Array.of(value) });
const pair = (b: GraphBuilder, x: string, scale: number, zero: number, dtype: DType = 'u8'): string => {
  const [s, z] = [b.scalar(scale), code(b, dtype, zero)];
  return b.op('DequantizeLinear', [b.op('QuantizeLinear', [x, s, z]), s, z]);
};
const codes = (dims: readonly number[], seed: number): Tensor => ({
  dtype: 's8',
  dims,
  data: Int8Array.from(
    noise(
      dims.reduce((a, b) => a * b, 1),
      seed,
    ),
    (value) => Math.round(value * 127),
  ),
});
const steps = (count: number): Tensor => ({
  dtype: 'f32',
  dims: [count],
  data: Float32Array.from({ length: count }, (_, i) => (i + 1) / 500),
});
const zeros = (count: number): Tensor => ({ dtype: 's8', dims: [count], data: new Int8Array(count) });
const weight = (b: GraphBuilder, k = K, n = N, seed = 5): string =>
  b.op('DequantizeLinear', [b.constant(codes([k, n], seed)), b.constant(steps(n)), b.constant(zeros(n))], { axis: 1 });
const x = (b: GraphBuilder): string => b.input('x', 'f32', ['batch', 'seq', K]);

/** How far a compiled graph is from the file's own arithmetic. */
function error(before: Graph, after: Graph): number {
  const feeds = feedsFor(before, { batch: 2, seq: 4 });
  const want = runGraph(before, feeds);
  const got = runGraph(after, feeds);
  return Math.max(...after.outputs.map((name) => distance(got.get(name)!, want.get(name)!)));
}

describe('a weight that two products of a file share', () => {
  it('is stored once', () => {
    const graph = graphOf((b) => {
      const shared = weight(b, K, K);
      return b.op('MatMul', [pair(b, b.op('MatMul', [pair(b, x(b), 0.02, 128), shared]), 0.05, 128), shared]);
    });
    const after = compile(graph);
    const products = after.nodes.filter(({ op }) => op === 'InnerProduct');
    expect(products.map(({ inputs }) => after.constant(inputs[1])!.dtype)).toEqual(['s8', 's8']);
    expect(new Set(products.map(({ inputs }) => [inputs[1], inputs[6], inputs[7]].join())).size).toBe(1);
    expect(error(graph, after)).toBeLessThan(0.1);
  });
});

describe('collectQuantization', () => {
  it('notes min = (lowest − zero) · scale and max = (highest − zero) · scale', () => {
    const graph = graphOf((b) => b.op('Relu', [pair(b, b.op('Abs', [x(b)]), 0.5, 10)]));
    const context = emptyContext();
    expect(opsOf(run(collectQuantization, graph, context))).toEqual(['Abs', 'Relu']);
    expect([...context.ranges.values()]).toEqual([{ min: -5, max: 122.5 }]);
  });

  it('notes the whole range of a signed code', () => {
    const graph = graphOf((b) => b.op('Relu', [pair(b, x(b), 0.5, 0, 's8')]));
    const context = emptyContext();
    run(collectQuantization, graph, context);
    expect(context.ranges.get('x')).toEqual({ min: -64, max: 63.5 });
  });

  it('declines one value that is quantised in two ways', () => {
    const graph = graphOf((b) => {
      const a = x(b);
      return [b.op('Relu', [pair(b, a, 0.5, 0)]), b.op('Abs', [pair(b, a, 0.25, 0)])];
    });
    expect(reasonsOf(collectQuantization, graph)).toEqual(['its input is quantised in two ways']);
  });

  it('declines codes per channel', () => {
    const graph = graphOf((b) => {
      const [s, z] = [b.constant(steps(K)), b.constant({ dtype: 'u8', dims: [K], data: new Uint8Array(K) })];
      return b.op('Relu', [b.op('DequantizeLinear', [b.op('QuantizeLinear', [x(b), s, z], { axis: 2 }), s, z], { axis: 2 })]);
    });
    expect(reasonsOf(collectQuantization, graph)).toEqual(['scale and zero point are not those of one 8-bit code for the whole tensor']);
  });
});

describe('quantised products', () => {
  it('become u8 × s8 with exactly the numbers of the file', () => {
    const before = graphOf((b) => b.op('Add', [b.op('MatMul', [pair(b, x(b), 0.01, 100), weight(b)]), b.weight([N], 3)]));
    const after = compile(before);
    expect(opsOf(after)).toEqual(['Quantize', 'InnerProduct']);
    expect(after.value(after.nodes[1]!.inputs[1]!).dtype).toBe('s8');
    expect(error(before, after)).toBeLessThan(1e-5);
  });

  it('hand u8 on where every reader is a quantised product', () => {
    const before = graphOf((b) => {
      const hidden = b.op('Relu', [b.op('MatMul', [pair(b, x(b), 0.01, 100), weight(b)])]);
      return b.op('MatMul', [pair(b, hidden, 0.02, 0), weight(b, N, 3, 6)]);
    });
    const after = compile(before);
    expect(opsOf(after)).toEqual(['Quantize', 'InnerProduct', 'InnerProduct']);
    expect(after.nodes[1]!.attributes).toMatchObject({ activation: 'relu', output_dtype: 'u8' });
    expect(error(before, after)).toBeLessThan(1e-5);
  });

  it('keep a residual in f32 and share one code of their input', () => {
    const before = graphOf((b) => {
      const q = pair(b, b.op('LayerNormalization', [x(b), b.weight([K])]), 0.02, 128);
      const product = (seed: number): string => b.op('MatMul', [q, weight(b, K, K, seed)]);
      return [b.op('Add', [product(1), q]), product(2)];
    });
    const after = compile(before);
    expect(opsOf(after)).toEqual(['LayerNorm', 'Quantize', 'InnerProduct', 'InnerProduct']);
    expect(after.nodes[2]!.inputs[3]).toBe(after.nodes[0]!.outputs[0]);
    expect(error(before, after)).toBeLessThan(0.011);
  });

  it('forget the range of a product whose result is quantised before its bias', () => {
    const before = graphOf((b) =>
      b.op('Add', [pair(b, b.op('MatMul', [pair(b, x(b), 0.01, 100), weight(b)]), 0.03, 120), b.weight([N], 3)]),
    );
    const after = compile(before);
    expect(opsOf(after)).toEqual(['Quantize', 'InnerProduct']);
    expect(error(before, after)).toBeLessThan(0.0151);
  });

  it('find ranges again that stand on views of their input', () => {
    const before = graphOf((b) => {
      const view = b.op('Reshape', [x(b), b.ints(0, 0, K)]);
      const rows = b.op('MatMul', [pair(b, b.op('Reshape', [view, b.ints(-1, K)]), 0.01, 100), weight(b)]);
      const dims = b.op('Concat', [b.op('Shape', ['x'], { end: 2 }), b.ints(N)], { axis: 0 });
      return b.op('Add', [b.op('Reshape', [rows, dims]), b.input('r', 'f32', ['batch', 'seq', N])]);
    });
    const after = compile(before);
    expect(opsOf(after)).toEqual(['Quantize', 'InnerProduct']);
    expect(error(before, after)).toBeLessThan(1e-5);
  });

  it('take a u8 weight around 128', () => {
    const before = graphOf((b) => {
      const shifted = {
        dtype: 'u8',
        dims: [K, N],
        data: Uint8Array.from(codes([K, N], 5).data as Int8Array, (value) => value + 128),
      } as const;
      const w = b.op('DequantizeLinear', [b.constant(shifted), b.scalar(0.01), code(b, 'u8', 128)]);
      return b.op('MatMul', [pair(b, x(b), 0.01, 100), w]);
    });
    const after = compile(before);
    expect(after.value(after.nodes[1]!.inputs[1]!).dtype).toBe('s8');
    expect(error(before, after)).toBeLessThan(1e-5);
  });

  it.each<[string, (b: GraphBuilder) => string, string]>([
    [
      'an asymmetric weight',
      (b) => b.op('DequantizeLinear', [b.constant(codes([K, N], 5)), b.scalar(0.01), code(b, 's8', 3)]),
      'its weight is not symmetric',
    ],
    [
      'a weight per input channel',
      (b) => b.op('DequantizeLinear', [b.constant(codes([K, N], 5)), b.constant(steps(K)), b.constant(zeros(K))], { axis: 0 }),
      'its weight is not quantised per output channel',
    ],
  ])('stay in f32 with %s', (_, build, reason) => {
    const before = graphOf((b) => b.op('MatMul', [pair(b, x(b), 0.01, 100), build(b)]));
    const reasons: string[] = [];
    const after = compile(before, { explain: (event) => event.kind === 'declined' && reasons.push(event.reason) });
    expect(opsOf(after)).toEqual(['InnerProduct']);
    expect(reasons).toEqual([reason]);
    expect(error(before, after)).toBeLessThan(0.02);
  });

  it('stay in f32 where the activation is not quantised', () => {
    const before = graphOf((b) => b.op('MatMul', [b.op('Relu', [pair(b, x(b), 0.01, 0)]), weight(b)]));
    expect(opsOf(compile(before))).toEqual(['Relu', 'InnerProduct']);
  });
});

describe('quantised attention', () => {
  const H = 8;
  const build = (b: GraphBuilder, probabilityStep: number): string => {
    const q = pair(b, x(b), 0.01, 128);
    const head = (seed: number, perm: number[]): string =>
      pair(b, b.op('Transpose', [b.op('Reshape', [b.op('MatMul', [q, weight(b, K, H, seed)]), b.ints(0, 0, 2, 4)])], { perm }), 0.004, 128);
    const scores = b.op('Mul', [b.op('MatMul', [head(1, [0, 2, 1, 3]), head(2, [0, 2, 3, 1])]), b.scalar(0.5)]);
    const context = b.op('MatMul', [pair(b, b.op('Softmax', [scores]), probabilityStep, 0), head(3, [0, 2, 1, 3])]);
    const merged = b.op('Reshape', [b.op('Transpose', [context], { perm: [0, 2, 1, 3] }), b.ints(0, 0, H)]);
    return b.op('MatMul', [pair(b, merged, 0.004, 128), weight(b, H, 3, 4)]);
  };

  it('reads s8, writes u8 and is close to the file', () => {
    const before = graphOf((b) => build(b, 1 / 255));
    const after = compile(before);
    expect(opsOf(after)).toEqual(['Quantize', 'InnerProduct', 'InnerProduct', 'InnerProduct', 'Attention', 'InnerProduct']);
    expect(after.nodes.slice(1, 5).map((node) => node.attributes['output_dtype'])).toEqual(['s8', 's8', 's8', 'u8']);
    expect(error(before, after)).toBeLessThan(0.02);
  });

  it('keeps the range of probabilities that use little of [0, 1]', () => {
    const before = graphOf((b) => build(b, 1 / 510));
    const after = compile(before);
    expect(after.nodes[4]!.attributes).toMatchObject({ output_dtype: 'u8', probability_max: 0.5 });
    expect(error(before, after)).toBeLessThan(0.02);
  });
});

describe('other kinds of quantised files', () => {
  it('write QLinearMatMul as Q/DQ and compile it the same way', () => {
    const before = graphOf((b) => {
      const [s, z] = [b.scalar(0.01), code(b, 'u8', 100)];
      const a = b.op('QuantizeLinear', [x(b), s, z]);
      const y = b.op('QLinearMatMul', [
        a,
        s,
        z,
        b.constant(codes([K, N], 5)),
        b.constant(steps(N)),
        b.constant(zeros(N)),
        b.scalar(0.02),
        code(b, 'u8', 128),
      ]);
      return b.op('DequantizeLinear', [y, b.scalar(0.02), code(b, 'u8', 128)]);
    });
    expect(opsOf(run(expandQLinearMatMul, before))).toContain('MatMul');
    const after = compile(before);
    expect(opsOf(after)).toEqual(['Quantize', 'InnerProduct']);
    expect(error(before, after)).toBeLessThan(0.0101);
  });

  const dynamic = (b: GraphBuilder, foreignScale: boolean): string => {
    const [q, s, z] = b.ops('DynamicQuantizeLinear', [x(b)], {}, 3) as [string, string, string];
    const sums = b.op('MatMulInteger', [q, b.constant(codes([K, N], 5)), z, b.constant(zeros(N))]);
    const scale = b.op('Mul', [foreignScale ? b.input('scale', 'f32', []) : s, b.constant(steps(N))]);
    return b.op('Add', [b.op('Mul', [b.op('Cast', [sums], { to: 'f32' }), scale]), b.weight([N], 3)]);
  };

  it('code the input of a dynamically quantised product token by token', () => {
    const before = graphOf((b) => dynamic(b, false));
    const after = compile(before);
    expect(opsOf(after)).toEqual(['DynamicQuantize', 'InnerProduct']);
    expect(after.value(after.nodes[1]!.inputs[1]!).dtype).toBe('s8');
    expect(error(before, after)).toBeLessThan(0.02);
  });

  it('share the codes of an input between products, whichever way the scales are multiplied', () => {
    const before = graphOf((b) => {
      const [q, s, z] = b.ops('DynamicQuantizeLinear', [b.op('Relu', [x(b)])], {}, 3) as [string, string, string];
      const sums = (seed: number): string => b.op('Cast', [b.op('MatMulInteger', [q, b.constant(codes([K, N], seed)), z])], { to: 'f32' });
      const [scale, step] = [b.scalar(0.01), b.op('Identity', [s])];
      return [b.op('Mul', [b.op('Mul', [sums(1), step]), scale]), b.op('Mul', [b.op('Mul', [scale, s]), sums(2)])];
    });
    const after = compile(before);
    expect(opsOf(after)).toEqual(['Relu', 'DynamicQuantize', 'InnerProduct', 'InnerProduct']);
    expect(error(before, after)).toBeLessThan(0.02);
  });

  it('stay in f32 where the weight of a dynamically quantised product is not symmetric', () => {
    const before = graphOf((b) => {
      const [q, s, z] = b.ops('DynamicQuantizeLinear', [x(b)], {}, 3) as [string, string, string];
      const sums = b.op('Cast', [b.op('MatMulInteger', [q, b.constant(codes([K, N], 5)), z, code(b, 's8', 7)])], { to: 'f32' });
      return b.op('Mul', [sums, b.op('Mul', [s, b.scalar(0.01)])]);
    });
    const after = compile(before);
    expect(opsOf(after)).toEqual(['InnerProduct']);
    expect(error(before, after)).toBeLessThan(0.02);
  });

  it('leave integer products alone that another scale follows', () => {
    const graph = graphOf((b) => dynamic(b, true));
    expect(reasonsOf(expandDynamicQuantization, graph)).toEqual(['scale and zero point are of another quantisation']);
    expect(opsOf(compile(graph))).toContain('MatMulInteger');
  });
});
