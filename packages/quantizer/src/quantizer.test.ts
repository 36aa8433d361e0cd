import { evaluateGraph, inferShapes, verifyGraph } from '@neural-engine/ir';
import { describe, expect, it } from 'vitest';
import { exact, f32, feeds, sample } from './__fixtures__/sample';
import { calibrate, chooseRange, Histogram, observedValues, preActivation, quantizeDynamic, quantizeGraph, quantizeWeight } from './index';

describe('quantizeWeight', () => {
  it('gives each output channel its own symmetric scale, ties to even, zeros a finite one', () => {
    const { data, min, max } = quantizeWeight(f32([3, 2], [1, -0.5, 0, 0, -127, 63.5]), true, 'w');
    expect([...data.data]).toEqual([127, -64, 0, 0, -127, 64]);
    expect([...max.data]).toEqual([1, 1, 127]);
    expect([...min.data]).toEqual([-1, -1, -127]);
  });
  it('reads [in, out] weights alike', () => {
    const a = quantizeWeight(f32([2, 3], [1, 2, 3, 4, 5, 6]), true, 'w');
    const b = quantizeWeight(f32([3, 2], [1, 4, 2, 5, 3, 6]), false, 'w');
    expect([...b.max.data]).toEqual([...a.max.data]);
    // The same elements, column by column.
    expect([...b.data.data]).toEqual([0, 3, 1, 4, 2, 5].map((i) => a.data.data[i]));
  });
  it('names a weight that is not finite', () => {
    expect(() => quantizeWeight(f32([1, 1], [Number.NaN]), true, 'the weight')).toThrow(/the weight.*NaN/);
  });
});

describe('chooseRange', () => {
  const histogram = new Histogram();
  // 20,000 values in a bell of width 1, and one far outlier.
  histogram.add(Float32Array.from({ length: 20000 }, (_, i) => Math.sin(i * 0.7) * Math.cos(i * 1.3)));
  histogram.add(Float32Array.of(50));
  // One value of 20,001 weighs little to the square error of the others' rounding: it is cut, but not far.
  it.each([
    ['percentile', 25],
    ['entropy', 25],
    ['mse', 49],
  ] as const)('cuts an outlier by %s', (method, below) => {
    const range = chooseRange(histogram, { method, percentile: 99.9 }, 'x');
    expect(range.max).toBeLessThan(below);
    expect(range.min).toBeLessThan(-0.5);
  });
  it('keeps everything by minmax, zero inside', () => {
    expect(chooseRange(histogram, { method: 'minmax' }, 'x').max).toBe(50);
    const positive = new Histogram();
    positive.add(Float32Array.of(2, 3));
    expect(chooseRange(positive, { method: 'minmax' }, 'x')).toEqual({ min: 0, max: 3 });
  });
  it('refuses a percentile that means nothing', () => {
    expect(() => chooseRange(histogram, { method: 'percentile', percentile: 0 }, 'x')).toThrow(
      expect.objectContaining({ code: 'E_USAGE' }),
    );
  });
  it('gives a tensor of zeros scale 1 (Q3)', () => {
    const zero = new Histogram();
    zero.add(new Float32Array(4));
    expect(chooseRange(zero, { method: 'minmax' }, 'x')).toEqual({ min: 0, max: 255 });
  });
});

describe('static int8', () => {
  it('leaves attention in f32 whose queries have a residual added', async () => {
    const graph = sample();
    graph.nodes.find(({ outputs }) => outputs[0] === 'q')!.inputs[3] = 'x';
    const { ranges } = await calibrate(graph, { samples: [0, 1, 2, 3].map(feeds), run: exact });
    const quantized = quantizeGraph(graph, ranges);
    inferShapes(quantized);
    verifyGraph(quantized);
    expect(quantized.nodes.find(({ op }) => op === 'Attention')!.inputs).toEqual(['q', 'k', 'v']);
    const [got, want] = [quantized, graph].map((each) => evaluateGraph(each, feeds(2)).get('y')!.data as Float32Array);
    for (const [i, value] of got!.entries()) expect(Math.abs(value - want![i]!)).toBeLessThan(0.1);
  });
  it.each(['int8', 'dynamic-int8'] as const)('as %s stores a weight once that several products read', async (precision) => {
    const graph = sample();
    const products = graph.nodes.filter(({ op }) => op === 'InnerProduct');
    for (const node of products) if (['wq', 'wk', 'wo'].includes(node.inputs[1]!)) node.inputs[1] = 'wq';
    const { ranges } = await calibrate(graph, { samples: [feeds(1)], run: exact });
    const quantized = precision === 'int8' ? quantizeGraph(graph, ranges) : quantizeDynamic(graph);
    verifyGraph(quantized);
    const read = quantized.nodes.filter(({ op }) => op === 'InnerProduct').map(({ inputs }) => [inputs[1], inputs[6], inputs[7]].join());
    expect([read.length, new Set(read).size]).toEqual([6, 4]);
  });
  it('computes nearly what the f32 graph computes', async () => {
    const graph = sample();
    const { ranges, samples } = await calibrate(graph, { samples: [0, 1, 2, 3].map(feeds), run: exact });
    expect(samples).toBe(4);
    const int8 = quantizeGraph(graph, ranges);
    inferShapes(int8);
    verifyGraph(int8);
    expect(int8.nodes.map((node) => node.op)).toEqual([
      'Quantize',
      'InnerProduct',
      'InnerProduct',
      'InnerProduct',
      'Attention',
      'InnerProduct',
      'Quantize',
      'InnerProduct',
      'InnerProduct',
    ]);
    const [a, b] = [graph, int8].map((each) => evaluateGraph(each, feeds(9)).get('y')!.data as Float32Array);
    const error = Math.sqrt(
      a!.reduce((sum, value, i) => sum + (value - b![i]!) ** 2, 0) / a!.reduce((sum, value) => sum + value * value, 0),
    );
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(0.03);
  });
  it('observes values before activations and leaves the source graph alone', async () => {
    const graph = sample();
    expect(observedValues(graph)).toContain(preActivation('mid_node'));
    const before = graph.nodes.length;
    await calibrate(graph, { samples: [feeds(0)], run: exact });
    expect(graph.nodes).toHaveLength(before);
  });
  it('keeps what the recipe keeps, and names what it does not find', async () => {
    const { ranges } = await calibrate(sample(), { samples: [feeds(0)], run: exact });
    const kept = quantizeGraph(sample(), ranges, { keep: ['out_node'] });
    expect(kept.constant(kept.nodes.find((node) => node.name === 'out_node')!.inputs[1])!.dtype).toBe('f32');
    expect(() => quantizeGraph(sample(), ranges, { keep: ['nobody'] })).toThrow(/"nobody"/);
  });
  it('refuses a quantised graph (Q9), no samples (Q6) and a sample that does not fit (Q7)', async () => {
    const { ranges } = await calibrate(sample(), { samples: [feeds(0)], run: exact });
    const int8 = quantizeGraph(sample(), ranges);
    expect(() => quantizeGraph(int8, ranges)).toThrow(expect.objectContaining({ code: 'E_QUANT' }));
    await expect(calibrate(sample(), { samples: [], run: exact })).rejects.toMatchObject({ code: 'E_DATASET' });
    await expect(calibrate(sample(), { samples: [feeds(0), {}], run: exact })).rejects.toMatchObject({
      code: 'E_DATASET',
      where: 'sample 1',
    });
  });
  it('gives the same ranges for the same samples (Q10)', async () => {
    const run = () => calibrate(sample(), { samples: [feeds(1), feeds(2)], run: exact, method: 'entropy' });
    const [a, b] = [await run(), await run()];
    expect([...a.ranges]).toEqual([...b.ranges]);
  });
});
