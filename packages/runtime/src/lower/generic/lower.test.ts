import { EngineError, fromBf16, fromF16, isFloat, type Tensor } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { Model } from '../../model';
import { COMPUTE_CASES } from './__fixtures__/compute-cases';
import { ELEMENTWISE_CASES } from './__fixtures__/elementwise-cases';
import { MOVEMENT_CASES } from './__fixtures__/movement-cases';
import { expected, graphOf, type NodeCase, runNode } from './__fixtures__/run-node';
import { literal, random } from './__fixtures__/tensors';
import { genericObstacle, genericOperators, lowerGeneric, supportsGeneric } from './index';

const CASES: readonly NodeCase[] = [...ELEMENTWISE_CASES, ...MOVEMENT_CASES, ...COMPUTE_CASES];

/** Relative to the greater magnitude of the two: steps of the format, of which a result may be off by a few. */
const TOLERANCE: Readonly<Record<string, number>> = { f64: 1e-12, f32: 4e-6, f16: 4e-3, bf16: 4e-2 };

const numberAt = ({ dtype, data }: Tensor, i: number): number =>
  dtype === 'f16' ? fromF16(data[i] as number) : dtype === 'bf16' ? fromBf16(data[i] as number) : Number(data[i]);

function expectClose(got: Tensor, want: Tensor): void {
  expect({ dtype: got.dtype, dims: got.dims }).toEqual({ dtype: want.dtype, dims: want.dims });
  if (!isFloat(want.dtype)) {
    expect(got.data).toEqual(want.data);
    return;
  }
  for (let i = 0; i < want.data.length; i++) {
    const [a, b] = [numberAt(got, i), numberAt(want, i)];
    const same = Object.is(a, b) || Math.abs(a - b) <= TOLERANCE[want.dtype]! * Math.max(Math.abs(b), 1);
    if (!same) expect.fail(`element ${i} is ${a}, expected ${b}`);
  }
}

const describeCase = ({ op, inputs, attributes = {} }: NodeCase): string => {
  const operands = inputs.map((tensor) => (tensor ? `${tensor.dtype}[${tensor.dims}]` : '–'));
  const named = Object.entries(attributes).map(
    ([name, value]) => `${name}=${typeof value === 'object' && 'data' in value ? value.data : value}`,
  );
  return `${op}(${[...operands, ...named].join(', ')})`;
};

describe('native row-major steps', () => {
  it.each(CASES.map((example) => ({ example, title: describeCase(example) })))('compute $title', async ({ example }) => {
    const [got, want] = [await runNode(example), expected(example)];
    expect(got.length).toBe(want.length);
    for (const [i, tensor] of want.entries()) expectClose(got[i]!, tensor);
  });

  it('are compared with the schema for every operator', () => {
    const seen = new Set(CASES.map(({ op }) => op));
    expect(genericOperators().filter((op) => !seen.has(op))).toEqual([]);
  });

  it.each([
    { op: 'Add', inputs: [random('f32', [300, 1, 40]), random('f32', [200, 40])] },
    { op: 'MatMul', inputs: [random('f32', [3, 70, 300]), random('f32', [3, 300, 90])] },
    { op: 'ReduceSum', inputs: [random('f32', [400, 300]), literal('s64', [0])] },
    { op: 'Softmax', inputs: [random('f32', [200, 500])] },
    { op: 'Transpose', inputs: [random('f32', [500, 400])] },
    { op: 'LayerNormalization', inputs: [random('f32', [300, 256]), random('f32', [256])] },
  ])('give the same bits on any number of threads: $op', async (example) => {
    const [one, four] = [await runNode(example, 1), await runNode(example, 4)];
    expect(Buffer.from(four[0]!.data.buffer).equals(Buffer.from(one[0]!.data.buffer))).toBe(true);
  });
});

describe('lowering', () => {
  const concrete = (name: string, tensor: Tensor, constant = false) => ({
    name,
    dtype: tensor.dtype,
    dims: tensor.dims,
    ...(constant && { constant: tensor }),
  });
  const node = (op: string, inputs: string[], attributes = {}) => ({ name: 'n', op, inputs, outputs: ['y'], attributes });
  const x = random('f32', [2, 3]);

  it('makes nothing of what only renames', () => {
    const shape = literal('s64', [3, 2]);
    const y = { name: 'y', dtype: 'f32' as const, dims: [3, 2] };
    expect(lowerGeneric(node('Reshape', ['x', 's']), [concrete('x', x), concrete('s', shape, true)], [y])).toEqual({ alias: 'x' });
    const unmoved = { name: 'y', dtype: 'f32' as const, dims: [1, 2, 3] };
    const lead = concrete('x', random('f32', [2, 1, 3]));
    expect(lowerGeneric(node('Transpose', ['x'], { perm: [1, 0, 2] }), [lead], [unmoved])).toEqual({ alias: 'x' });
  });

  it('names temporaries as nothing in the node is named', () => {
    const value = (name: string) => ({ name, dtype: 'f32' as const, dims: [2] });
    const lowering = lowerGeneric(node('Sum', ['n#0', 'n#1', 'c']), [value('n#0'), value('n#1'), value('c')], [value('y')]);
    expect('temporaries' in lowering && lowering.temporaries?.map(({ name }) => name)).toEqual(['n#0#']);
  });

  it('spells attributes that JSON has no number for', () => {
    const lowering = lowerGeneric(
      node('ThresholdedRelu', ['x'], { alpha: Number.NEGATIVE_INFINITY }),
      [concrete('x', x)],
      [concrete('y', x)],
    );
    expect('steps' in lowering && lowering.steps[0]!.attrs['alpha']).toBe('-Infinity');
  });

  it('refuses elements that only a run makes known', () => {
    const axis = literal('s64', [0], []);
    const lower = (constant: boolean) =>
      lowerGeneric(node('CumSum', ['x', 'a']), [concrete('x', x), concrete('a', axis, constant)], [concrete('y', x)]);
    expect(() => lower(true)).not.toThrow();
    expect(() => lower(false)).toThrow(expect.objectContaining({ code: 'E_UNSUPPORTED', message: expect.stringContaining('input 1') }));
  });

  it('knows what it cannot run', () => {
    expect(supportsGeneric('MatMul', ['f32', 'f32'])).toBe(true);
    expect(supportsGeneric('MatMul', ['u8', 'u8'])).toBe(false);
    expect(supportsGeneric('toString', ['f32'])).toBe(false);
    expect(genericObstacle('Identity', {}, ['string'])).toContain('strings');
    expect(genericObstacle('NonZero', {}, ['f32'])).toContain('no kernel');
  });
});

describe('loading', () => {
  it('lists every node that no kernel runs', async () => {
    const graph = graphOf({ op: 'MatMul', inputs: [random('u8', [2, 2]), random('u8', [2, 2])] });
    graph.addValue({ name: 'z', dtype: 'u8', shape: [2, 2] });
    graph.nodes.push({ ...graph.nodes[0]!, name: 'second', inputs: ['y0', 'x1'], outputs: ['z'] });
    const error: unknown = await Model.fromGraph(graph).catch((reason) => reason);
    expect(EngineError.isInstance(error) && error.code).toBe('E_UNSUPPORTED');
    expect(String(error)).toMatch(/"node".*"second"/);
  });
});

describe('running', () => {
  const failing = (example: NodeCase): Promise<unknown> =>
    runNode(example).then(
      () => undefined,
      (error) => error,
    );
  it.each([3, -4, Number.MIN_SAFE_INTEGER])('refuses the index %d of an axis of 3', async (index) => {
    for (const op of ['Gather', 'GatherElements', 'GatherND'])
      expect(await failing({ op, inputs: [random('f32', [3]), literal('s64', [index])] })).toMatchObject({ code: 'E_REQUEST' });
    const update = random('f32', [1]);
    expect(await failing({ op: 'ScatterElements', inputs: [random('f32', [3]), literal('s64', [index]), update] })).toMatchObject({
      code: 'E_REQUEST',
    });
  });

  it('refuses index 0 of an empty axis', async () => {
    const error = await failing({ op: 'Gather', inputs: [random('f32', [0]), literal('s64', [0])] });
    expect(error).toMatchObject({ code: 'E_REQUEST', message: expect.stringContaining('length 0') });
  });

  it('divides integers by zero without trapping', async () => {
    const [quotient] = await runNode({ op: 'Div', inputs: [literal('s32', [7, -(2 ** 31)]), literal('s32', [0, -1])] });
    expect(quotient!.data).toEqual(Int32Array.of(0, -(2 ** 31)));
  });
});
