import type { Tensor } from '@neural-engine/core';
import { evaluateGraph, Graph, inferShapes } from '@neural-engine/ir';
import { describe, expect, it } from 'vitest';
import { bindFeeds, Model, type Port } from './index';

const f32 = (dims: number[], values: ArrayLike<number>): Tensor => ({ dtype: 'f32', dims, data: Float32Array.from(values) });
const random = (n: number, seed: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(i * 78.233 + seed) * 0.5);

/** relu(x · W + b) + x, LayerNorm, and a second output that is a reshaped view: panels and row-major operators in one graph. */
function sample(): Graph {
  const graph = new Graph('sample');
  graph.addValue({ name: 'x', dtype: 'f32', shape: ['batch', 'sequence', 12] });
  graph.inputs = ['x'];
  const constant = (name: string, dims: number[], seed: number): string =>
    graph.addConstant(
      name,
      f32(
        dims,
        random(
          dims.reduce((a, b) => a * b, 1),
          seed,
        ),
      ),
    );
  for (const name of ['p', 'n', 'e', 'flat']) graph.addValue({ name, dtype: 'f32', shape: undefined });
  graph.nodes = [
    {
      name: 'product',
      op: 'InnerProduct',
      inputs: ['x', constant('w', [12, 12], 1), constant('b', [12], 2), 'x'],
      outputs: ['p'],
      attributes: { transposed: false, activation: 'relu', output_dtype: 'f32' },
    },
    {
      name: 'norm',
      op: 'LayerNorm',
      inputs: ['p', constant('g', [12], 3), constant('c', [12], 4)],
      outputs: ['n'],
      attributes: { epsilon: 1e-5 },
    },
    { name: 'exp', op: 'Exp', inputs: ['n'], outputs: ['e'], attributes: {} },
    {
      name: 'reshape',
      op: 'Reshape',
      inputs: ['e', graph.addConstant('shape', { dtype: 's64', dims: [2], data: BigInt64Array.of(-1n, 12n) })],
      outputs: ['flat'],
      attributes: {},
    },
  ];
  graph.outputs = ['n', 'flat', 'x'];
  inferShapes(graph);
  return graph;
}

const feeds = (batch: number, sequence: number): Record<string, Tensor> => ({
  x: f32([batch, sequence, 12], random(batch * sequence * 12, 9)),
});

describe('Session', () => {
  it.each([
    [1, 1, 1],
    [2, 65, 1],
    [3, 50, 2],
    [1, 10, 4],
    [2, 0, 1],
  ])('computes what the schemas say for batch %i, %i rows, %i threads', async (batch, sequence, threads) => {
    const model = await Model.fromGraph(sample());
    const session = await model.session({ threads });
    const outputs = await session.run(feeds(batch, sequence));
    const exact = evaluateGraph(sample(), feeds(batch, sequence));
    for (const name of ['n', 'flat', 'x']) {
      expect(outputs[name]!.dims).toEqual(exact.get(name)!.dims);
      const [a, b] = [outputs[name]!.data as Float32Array, exact.get(name)!.data as Float32Array];
      a.forEach((value, i) => {
        if (Math.abs(value - b[i]!) > 1e-5 + 1e-5 * Math.abs(b[i]!)) expect.fail(`${name}[${i}] = ${value}, expected ${b[i]}`);
      });
    }
    await session.close();
  });
  it('adds a bias that is no constant', async () => {
    const graph = sample();
    graph.addValue({ name: 'bias', dtype: 'f32', shape: [12] });
    graph.inputs = ['x', 'bias'];
    graph.nodes[0]!.inputs[2] = 'bias';
    inferShapes(graph);
    await using session = await (await Model.fromGraph(graph)).session({ threads: 1 });
    const given = { ...feeds(2, 3), bias: f32([12], random(12, 7)) };
    const [{ n }, want] = [await session.run(given), evaluateGraph(graph, given).get('n')!];
    for (const [i, value] of (n!.data as Float32Array).entries()) expect(value).toBeCloseTo(Number(want.data[i]), 4);
  });
  it('returns values inside the model on request, and writes into given outputs', async () => {
    const session = await (await Model.fromGraph(sample())).session({ threads: 1 });
    const n = new Float32Array(2 * 3 * 12);
    const outputs = await session.run(feeds(2, 3), { taps: ['p'], outputs: { n } });
    expect(outputs['n']!.data).toBe(n);
    expect(outputs['p']!.dims).toEqual([2, 3, 12]);
    await expect(session.run(feeds(2, 3), { outputs: { n: new Float32Array(3) } })).rejects.toMatchObject({
      code: 'E_REQUEST',
      where: 'n',
    });
    await session.close();
  });
  it('answers many queued runs each with its own result, and refuses runs once closed', async () => {
    const session = await (await Model.fromGraph(sample())).session({ threads: 2 });
    const inputs = Array.from({ length: 24 }, (_, i) => feeds(1 + (i % 3), 1 + (i % 7)));
    const together = await Promise.all(inputs.map((each) => session.run(each)));
    for (const [i, each] of inputs.entries()) expect(await session.run(each)).toEqual(together[i]);
    await session.close();
    await expect(session.run(feeds(1, 1))).rejects.toMatchObject({ code: 'E_USAGE' });
  });
  it('refuses buffers for outputs and taps that it does not have, naming those that it has', async () => {
    await using session = await (await Model.fromGraph(sample())).session({ threads: 1 });
    const [output] = session.model.outputs as [Port];
    for (const options of [{ taps: ['nope'] }, { taps: ['toString'] }, { outputs: { nope: new Float32Array(1) } }])
      await expect(session.run(feeds(1, 2), options)).rejects.toMatchObject({
        code: 'E_REQUEST',
        message: expect.stringMatching(new RegExp(`"(nope|toString)".*"${output.name}"`)),
      });
    // Its elements are packed, and lie nowhere as they were.
    const { graph, nodes } = session.model.prepared;
    const made = new Set([...graph.inputs, ...nodes.flatMap(({ writes }) => writes)]);
    const weight = [...graph.values.values()].find(({ name, constant }) => !constant && !made.has(name))?.name;
    await expect(session.run(feeds(1, 2), { taps: [weight!] })).rejects.toMatchObject({ code: 'E_REQUEST' });
  });
  it('stops at the signal', async () => {
    const session = await (await Model.fromGraph(sample())).session({ threads: 1 });
    await expect(session.run(feeds(1, 1), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'E_ABORTED' });
    const large = feeds(64, 2048);
    session.plan(large);
    const abort = new AbortController();
    const running = Array.from({ length: 8 }, () => session.run(large, { signal: abort.signal }));
    abort.abort();
    const outcomes = await Promise.allSettled(running);
    expect(outcomes.filter((outcome) => outcome.status === 'rejected').length).toBeGreaterThan(0);
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'E_ABORTED' });
    await session.run(feeds(1, 1));
    await session.close();
  });
});

describe('bindFeeds', () => {
  const ports: Port[] = [
    { name: 'ids', dtype: 's64', shape: ['batch', 'sequence'] },
    { name: 'mask', dtype: 's64', shape: ['batch', 'sequence'] },
  ];
  const ids = (dims: number[]): Tensor => ({ dtype: 's64', dims, data: new BigInt64Array(dims.reduce((a, b) => a * b, 1)) });
  it('takes tensors of ONNX Runtime, and 32-bit integers where 64 are declared', () => {
    const [a] = bindFeeds(ports, {
      ids: { type: 'int64', data: BigInt64Array.of(1n, 2n), dims: [1, 2] },
      mask: { type: 'int32', data: Int32Array.of(1, 1), dims: [1, 2] },
    });
    expect(a).toEqual({ dtype: 's64', dims: [1, 2], data: BigInt64Array.of(1n, 2n) });
  });
  it.each([
    ['a missing input', { ids: ids([1, 2]) }, '"mask" is missing'],
    ['an extra input', { ids: ids([1, 2]), mask: ids([1, 2]), more: ids([1]) }, 'no input "more"'],
    ['another rank', { ids: ids([2]), mask: ids([1, 2]) }, 'expected shape [batch, sequence], got [2]'],
    ['one symbol with two values', { ids: ids([1, 2]), mask: ids([1, 3]) }, '"sequence" is 2 in input "ids" and 3 in input "mask"'],
    ['another dtype', { ids: f32([1, 2], [1, 2]), mask: ids([1, 2]) }, 'expected s64 (BigInt64Array), got f32 (Float32Array)'],
    ['data that does not fill the dims', { ids: { ...ids([1, 2]), dims: [1, 3] }, mask: ids([1, 3]) }, 'need 3 elements, the data has 2'],
    ['negative dims', { ids: { ...ids([1, 2]), dims: [-1, -2] }, mask: ids([1, 2]) }, 'non-negative integers'],
    ['no tensor', { ids: 7 as never, mask: ids([1, 2]) }, 'expected a tensor'],
  ])('refuses %s by name', (_, given, message) => {
    expect(() => bindFeeds(ports, given)).toThrow(
      expect.objectContaining({ code: 'E_REQUEST', message: expect.stringContaining(message) }),
    );
  });
  it('takes names of objects for names of inputs, not for members', () => {
    expect(() => bindFeeds([{ name: 'toString', dtype: 'f32', shape: [1] }], {})).toThrow('"toString" is missing');
  });
});
