import { fromBf16, type Tensor, toBf16 } from '@neural-engine/core';
import { evaluateGraph, Graph, inferShapes } from '@neural-engine/ir';
import { describe, expect, it } from 'vitest';
import { Model } from './index';
import { prepare } from './prepare/prepare';

const f32 = (dims: number[], values: ArrayLike<number>): Tensor => ({ dtype: 'f32', dims, data: Float32Array.from(values) });
const wave = (n: number, seed: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(i * 78.233 + seed));
const WIDTH = 16;
const bf16 = { rounding: 'bf16' };

/** Builds a graph node by node; each has one output, named as the node. */
class Builder {
  readonly graph = new Graph('sample');
  constructor() {
    this.graph.addValue({ name: 'x', dtype: 'f32', shape: ['batch', 'sequence', WIDTH] });
    this.graph.inputs = ['x'];
  }

  op(
    name: string,
    op: string,
    inputs: string[],
    attributes: Record<string, string | number | boolean> = {},
    dtype: 'f32' | 'u8' = 'f32',
  ): string {
    this.graph.addValue({ name, dtype, shape: undefined });
    this.graph.nodes.push({ name: `make_${name}`, op, inputs, outputs: [name], attributes });
    return name;
  }

  vector(name: string, values: ArrayLike<number>): string {
    return this.graph.addConstant(name, f32([values.length], values));
  }

  /** A product on bf16, f32 or, by a range of its input, 8-bit weights. */
  product(name: string, x: string, kind: 'f32' | 'bf16' | 's8', residual = '', attributes = {}): string {
    const values = wave(WIDTH * WIDTH, name.length);
    const data = {
      f32: values,
      bf16: Uint16Array.from(values, toBf16),
      s8: Int8Array.from(values, (value) => Math.round(value * 127)),
    }[kind];
    const weight = this.graph.addConstant(`${name}_w`, { dtype: kind, dims: [WIDTH, WIDTH], data });
    const bias = this.vector(`${name}_b`, wave(WIDTH, 2));
    if (kind !== 's8') return this.op(name, 'InnerProduct', [x, weight, bias, residual], attributes);
    const limits = [this.vector(`${name}_x_min`, [-4]), this.vector(`${name}_x_max`, [4])];
    const codes = this.op(`${name}_codes`, 'Quantize', [x, ...limits], { dtype: 'u8' }, 'u8');
    const range = [this.vector(`${name}_min`, [-1]), this.vector(`${name}_max`, [1])];
    return this.op(name, 'InnerProduct', [codes, weight, bias, residual, ...limits, ...range], attributes);
  }

  norm(name: string, x: string, attributes = {}): string {
    const [scale, bias] = [this.vector(`${name}_scale`, wave(WIDTH, 3)), this.vector(`${name}_bias`, wave(WIDTH, 4))];
    return this.op(name, 'LayerNorm', [x, scale, bias], { epsilon: 1e-5, ...attributes });
  }

  done(...outputs: string[]): Graph {
    this.graph.outputs = outputs;
    inferShapes(this.graph);
    return this.graph;
  }
}

const CASES: [string, () => Graph][] = [
  [
    'sums in front of a LayerNorm, as encoders have them',
    () => {
      const b = new Builder();
      const a = b.norm('a', 'x', bf16);
      const c = b.norm('c', b.product('sum', a, 's8', a, bf16), bf16);
      return b.done(b.product('y', c, 's8', c));
    },
  ],
  [
    'a LayerNorm in front of sums, whose stream is read twice',
    () => {
      const b = new Builder();
      const stream = b.product('stream', 'x', 's8', '', bf16);
      const next = b.product('next', b.norm('a', stream, bf16), 's8', stream, bf16);
      return b.done(b.product('y', b.norm('c', next), 's8', next, bf16));
    },
  ],
  [
    'bf16 products, which read it as it is',
    () => {
      const b = new Builder();
      const a = b.norm('a', 'x', bf16);
      const sum = b.product('sum', a, 'bf16', a, bf16);
      return b.done(b.product('y', b.norm('c', sum, bf16), 'bf16', sum));
    },
  ],
  [
    'f32 products, activations and sums, which read it as f32',
    () => {
      const b = new Builder();
      const a = b.product('a', 'x', 'f32', '', bf16);
      const c = b.product('c', a, 'f32', a, bf16);
      const sum = b.op('sum', 'Add', [c, b.op('active', 'Relu', [a])]);
      return b.done(b.norm('y', sum, bf16), b.norm('z', c));
    },
  ],
  [
    'attention, which reads keys and values of all tokens',
    () => {
      const b = new Builder();
      const [q, k, v] = ['q', 'k2', 'v33'].map((name) => b.product(name, 'x', 's8', '', bf16)) as [string, string, string];
      return b.done(b.op('y', 'Attention', [q, k, v], { heads: 2, scale: 0.3 }));
    },
  ],
  [
    'tokens coded by their own range',
    () => {
      const b = new Builder();
      const a = b.norm('a', 'x', bf16);
      for (const [name, dtype] of [
        ['codes', 'u8'],
        ['step', 'f32'],
        ['zero', 'f32'],
      ] as const)
        b.graph.addValue({ name, dtype, shape: undefined });
      b.graph.nodes.push({ name: 'coding', op: 'DynamicQuantize', inputs: [a], outputs: ['codes', 'step', 'zero'], attributes: {} });
      const data = Int8Array.from(wave(WIDTH * WIDTH, 8), (value) => Math.round(value * 127));
      const weight = b.graph.addConstant('w', { dtype: 's8', dims: [WIDTH, WIDTH], data });
      const range = [b.vector('w_min', [-1]), b.vector('w_max', [1])];
      const sum = b.op('sum', 'InnerProduct', ['codes', weight, '', a, '', '', ...range, '', '', '', '', 'step', 'zero'], bf16);
      return b.done(b.norm('y', sum));
    },
  ],
];

describe('keys and values that are read again behind their attention', () => {
  it.each(['Relu', 'Add', 'LayerNorm'])('are left to the attention of other panels by a %s', async (op) => {
    const b = new Builder();
    const k = b.product('k', 'x', 'f32');
    const a = b.op('a', 'Attention', [k, k, k], { heads: 2, scale: 0.3 });
    const n = op === 'LayerNorm' ? b.norm('n', k) : b.op('n', op, op === 'Add' ? [k, a] : [k]);
    const graph = b.done(b.product('y', n, 'f32', a));
    const x = f32([2, 90, WIDTH], wave(2 * 90 * WIDTH, 9));
    const want = evaluateGraph(graph, { x }).get('y')!.data as Float32Array;
    for (const threads of [1, 2]) {
      const session = await (await Model.fromGraph(graph)).session({ threads });
      const { y } = await session.run({ x });
      await session.close();
      expect((y!.data as Float32Array).every((value, i) => Math.abs(value - want[i]!) < 1e-4)).toBe(true);
    }
  });
});

describe('results that are rounded to bf16', () => {
  it.each(CASES)('are kept as that and give what the operators say: %s', async (_, build) => {
    const graph = build();
    const { panels } = prepare(graph).prepared;
    for (const node of graph.nodes)
      if (node.attributes['rounding'] === 'bf16') expect([node.name, panels.get(node.outputs[0]!)?.dtype]).toEqual([node.name, 'bf16']);
    for (const [batch, sequence, threads] of [
      [1, 1, 1],
      [2, 33, 1],
      [3, 90, 2],
    ] as const) {
      const x = f32(
        [batch, sequence, WIDTH],
        wave(batch * sequence * WIDTH, 9).map((value, i) => value * (1 + (i % 3))),
      );
      const want = evaluateGraph(graph, { x });
      const session = await (await Model.fromGraph(graph)).session({ threads });
      const rounded = graph.nodes.filter(({ attributes }) => attributes['rounding'] === 'bf16').map(({ outputs }) => outputs[0]!);
      const taps = rounded.filter((name) => !graph.outputs.includes(name));
      const got = await session.run({ x }, { taps });
      await session.close();
      for (const name of [...graph.outputs, ...taps]) {
        const [values, expected] = [got[name]!.data as Float32Array, want.get(name)!.data as Float32Array];
        // Where f32 sums differ in their last bits a rounding, or a code, may fall the other way.
        const near = values.every((value, i) => Math.abs(value - expected[i]!) <= 0.03 * Math.max(1, Math.abs(expected[i]!)));
        const same = values.reduce((count, value, i) => count + Number(Math.abs(value - expected[i]!) < 1e-5), 0);
        expect([name, near, same > 0.9 * values.length]).toEqual([name, true, true]);
        if (rounded.includes(name)) expect(values.every((value) => value === fromBf16(toBf16(value)))).toBe(true);
      }
    }
  });
});
