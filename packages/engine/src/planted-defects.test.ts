// Each test passes on the engine and fails on a copy with one defect planted: so it can fail, and would catch that defect.
// A histogram that forgets is planted in packages/quantizer/src/histogram.test.ts.
import type { Tensor } from '@neural-engine/core';
import { Graph, inferShapes } from '@neural-engine/ir';
import { gemm, packDense } from '@neural-engine/kernels';
import { decibels, quantizeGraph } from '@neural-engine/quantizer';
import { describe, expect, it } from 'vitest';
import { calibrateGraph, engineRunner } from './quantize';

const [K, N, ROWS] = [64, 32, 24];
const wave = (count: number, speed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i * speed + i * i * 0.001));

/** x → product → product, the second's input twenty times as large as the first's. */
function twoProducts(): Graph {
  const graph = new Graph('two');
  graph.addValue({ name: 'x', dtype: 'f32', shape: ['batch', K] });
  graph.inputs = ['x'];
  const product = (name: string, x: string, k: number, n: number, size: number): void => {
    const weight = graph.addConstant(`w_${name}`, {
      dtype: 'f32',
      dims: [n, k],
      data: wave(n * k, 0.7).map((value) => (value + 0.3) * size),
    });
    graph.addValue({ name, dtype: 'f32', shape: undefined });
    graph.nodes.push({ name: `${name}_node`, op: 'InnerProduct', inputs: [x, weight], outputs: [name], attributes: { transposed: true } });
  };
  product('h', 'x', K, N, 4);
  product('y', 'h', N, N, 0.3);
  graph.outputs = ['y'];
  inferShapes(graph);
  return graph;
}

const feeds: Record<string, Tensor> = { x: { dtype: 'f32', dims: [ROWS, K], data: wave(ROWS * K, 1.3).map((value) => value + 0.4) } };

async function outputOf(graph: Graph): Promise<Float32Array> {
  const runner = await engineRunner({ threads: 1 })(graph, graph.outputs);
  const { y } = await runner.run(feeds);
  await runner.close();
  return y!.data as Float32Array;
}

const sumOf = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, value) => sum + value, 0);

async function comparison(int8: Graph): Promise<{ snr: number; bias: number }> {
  const [exact, got] = await Promise.all([outputOf(twoProducts()), outputOf(int8)]);
  const error = exact.map((value, i) => got[i]! - value);
  const [signal, noise] = [exact, error].map((values) => sumOf(values.map((value) => value * value)));
  return { snr: decibels(signal!, noise!), bias: Math.abs(sumOf(error)) / Math.sqrt(noise! * error.length) };
}

describe('the comparison of int8 with f32', async () => {
  const { ranges } = await calibrateGraph(twoProducts(), { samples: [feeds], threads: 1 });
  const quantised = () => quantizeGraph(twoProducts(), ranges);
  const holds = async (graph: Graph): Promise<boolean> => {
    const { snr, bias } = await comparison(graph);
    return snr > 32 && bias < 0.25;
  };

  it('holds for what the quantizer makes', async () => expect(await holds(quantised())).toBe(true));

  it('fails with a swapped scale', async () => {
    const swapped = new Map([
      ['x', ranges.get('h')!],
      ['h', ranges.get('x')!],
    ]);
    expect(await holds(quantizeGraph(twoProducts(), swapped))).toBe(false);
  });

  it('fails with a zero point that is off by one', async () => {
    const graph = quantised();
    const node = graph.nodes.find(({ name }) => name === 'y_node')!;
    const [min, max] = [4, 5].map((slot) => (graph.constant(node.inputs[slot]!)!.data as Float32Array)[0]!) as [number, number];
    const step = (max - min) / 255;
    const moved = (name: string, value: number): string =>
      graph.addConstant(name, { dtype: 'f32', dims: [1], data: Float32Array.of(value + step) });
    node.inputs = node.inputs.map((input, slot) => (slot === 4 ? moved('off_min', min) : slot === 5 ? moved('off_max', max) : input));
    expect(await holds(graph)).toBe(false);
  });
});

describe('the exact product', () => {
  const [m, k, n] = [16, 64, 32];
  const weight = Int8Array.from({ length: m * k }, (_, i) => (i % 3 === 0 ? -127 : 127));
  const x = Uint8Array.from({ length: k * n }, (_, i) => (i % 7 === 0 ? 3 : 255));
  const product = (add: (sum: number, pair: number) => number): Int32Array => {
    const out = new Int32Array(m * n);
    for (let row = 0; row < m; row++)
      for (let column = 0; column < n; column++)
        for (let i = 0; i < k; i += 2) {
          const at = (j: number): number => weight[row * k + j]! * x[j * n + column]!;
          out[row * n + column] = add(out[row * n + column]!, at(i) + at(i + 1));
        }
    return out;
  };
  const holds = (got: Int32Array): boolean => product((sum, pair) => sum + pair).every((value, i) => value === got[i]);

  it('holds for the kernel of this CPU', () => expect(holds(gemm(packDense(weight, { m, k }), x, { n, out: 's32' }))).toBe(true));

  it('fails for a product whose pairs saturate at 16 bits, as vpmaddubsw does', () => {
    expect(holds(product((sum, pair) => sum + Math.max(-32768, Math.min(32767, pair))))).toBe(false);
  });
});

describe('attention scores with queries as u8', () => {
  const [tokens, width] = [8, 32];
  const queries = Int8Array.from({ length: tokens * width }, (_, i) => Math.round(100 * Math.sin(i * 0.9)));
  const keys = Int8Array.from({ length: tokens * width }, (_, i) => Math.round(90 * Math.cos(i * 0.37) + 20));
  const scores = (zero: number, correction: number): number[] =>
    Array.from({ length: tokens * tokens }, (_, at) => {
      const [row, column] = [Math.floor(at / tokens), at % tokens];
      let sum = 0;
      for (let i = 0; i < width; i++) {
        const key = keys[column * width + i]!;
        sum += (queries[row * width + i]! + zero) * key - correction * key;
      }
      return sum;
    });

  it('are those of s8 queries with the key sums taken off, and others without', () => {
    expect(scores(128, 128)).toEqual(scores(0, 0));
    const softmax = (row: number[]): number[] => row.map((score) => Math.exp((score - Math.max(...row)) / 4000));
    const shift = scores(128, 0).slice(0, tokens);
    expect(softmax(shift)).not.toEqual(softmax(scores(0, 0).slice(0, tokens)));
  });
});
