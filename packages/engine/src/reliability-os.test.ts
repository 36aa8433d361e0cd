// Bad operators (O) and shapes (S) on their way from a file to a run. What the ONNX package alone can see is tested there.
import { spawnSync } from 'node:child_process';
import type { EngineError, Tensor } from '@neural-engine/core';
import {
  encodeModel,
  makeGraph,
  makeModel,
  makeNode,
  makeTensor,
  makeValueInfo,
  type OnnxAttribute,
  type OnnxTensor,
} from '@neural-engine/onnx';
import { describe, expect, it } from 'vitest';
import { load } from './index';

const int = (value: number): OnnxAttribute => ({ type: 'int', value: BigInt(value) });
const ints = (...values: number[]): OnnxAttribute => ({ type: 'ints', value: values.map(BigInt) });
const s64 = (name: string, ...values: (number | bigint)[]): OnnxTensor =>
  makeTensor(name, 's64', [values.length], BigInt64Array.from(values, BigInt));
const f32 = (dims: number[], fill = 1): Tensor => ({
  dtype: 'f32',
  dims,
  data: new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(fill),
});

interface Parts {
  readonly op: string;
  readonly inputs?: readonly string[];
  readonly attributes?: Record<string, OnnxAttribute>;
  readonly initializers?: readonly OnnxTensor[];
  readonly x?: (number | string)[];
  readonly opset?: number;
  readonly domain?: string;
}

/** One operator on x, called "bad". */
const one = ({ op, inputs = ['x'], attributes = {}, initializers = [], x = [2, 3], opset = 17, domain = '' }: Parts): Uint8Array =>
  encodeModel(
    makeModel(
      {
        nodes: [makeNode(op, [...inputs], ['y'], { name: 'bad', domain, attributes })],
        inputs: [makeValueInfo('x', 'f32', x)],
        outputs: [makeValueInfo('y', 'f32')],
        initializers: [...initializers],
      },
      { opsets: { '': opset, ...(domain ? { [domain]: 1 } : {}) } },
    ),
  );

const errorOf = (work: Promise<unknown>): Promise<EngineError> =>
  work.then(
    () => Promise.reject(new Error('nothing was refused')),
    (error: EngineError) => error,
  );

/** Loads and, where that works, runs. @returns the error of either. */
async function refusal(bytes: Uint8Array, feeds: Record<string, Tensor> = { x: f32([2, 3]) }): Promise<EngineError> {
  return errorOf(
    load(bytes, { cache: false }).then(async (model) => {
      const session = await model.session({ threads: 1 });
      try {
        return await session.run(feeds);
      } finally {
        await session.close();
      }
    }),
  );
}

describe('operators', () => {
  it('O2: unknown ones, old forms and dtypes are listed all at once, at load', async () => {
    const bytes = encodeModel(
      makeModel({
        nodes: [
          makeNode('Nonsense', ['x'], ['a'], { name: 'first' }),
          makeNode('Det', ['a'], ['b'], { name: 'second' }),
          makeNode('Nonsense', ['b'], ['c'], { name: 'third' }),
          makeNode('Relu', ['c'], ['y'], { name: 'fine' }),
        ],
        inputs: [makeValueInfo('x', 'f32', [2, 2])],
        outputs: [makeValueInfo('y', 'f32', [2, 2])],
      }),
    );
    const { code, message } = await errorOf(load(bytes, { cache: false }));
    expect(code).toBe('E_UNSUPPORTED');
    for (const text of ['3 nodes', '"first"', '"second"', '"third"', 'Nonsense', 'Det']) expect(message).toContain(text);
    expect(message).not.toContain('"fine"');
    expect(await refusal(one({ op: 'Upsample', opset: 9 }))).toMatchObject({ code: 'E_UNSUPPORTED' });
    expect(await refusal(one({ op: 'Gelu', domain: 'com.nobody' }))).toMatchObject({ code: 'E_UNSUPPORTED' });
  });

  it.each<[string, Parts]>([
    ['an axis beyond the rank', { op: 'Softmax', attributes: { axis: int(2) } }],
    ['an axis before the first', { op: 'Softmax', attributes: { axis: int(-3) } }],
    ['an axis of 2^62', { op: 'Softmax', attributes: { axis: int(2 ** 62) } }],
    ['a permutation with a gap', { op: 'Transpose', attributes: { perm: ints(0, 2) } }],
    ['a permutation that repeats', { op: 'Transpose', attributes: { perm: ints(0, 0) } }],
    ['a permutation that is too long', { op: 'Transpose', attributes: { perm: ints(0, 1, 2) } }],
    ['axes twice', { op: 'ReduceMean', attributes: { axes: ints(1, -1) } }],
    ['axes out of range', { op: 'Unsqueeze', inputs: ['x', 'axes'], initializers: [s64('axes', 7)] }],
    ['an axis that is not of length 1', { op: 'Squeeze', inputs: ['x', 'axes'], initializers: [s64('axes', 0)] }],
    ['parts that do not add up', { op: 'Split', inputs: ['x', 'parts'], attributes: { axis: int(1) }, initializers: [s64('parts', 5)] }],
  ])('O6: %s', async (_, parts) => {
    const { code, message } = await refusal(one(parts));
    expect(['E_MODEL', 'E_SHAPE']).toContain(code);
    expect(message).toContain('bad');
  });

  it.each<[string, Parts]>([
    ['strides of 0', { op: 'Conv', inputs: ['x', 'w'], attributes: { strides: ints(0, 0) }, x: [1, 1, 4, 4] }],
    ['dilations of −1', { op: 'Conv', inputs: ['x', 'w'], attributes: { dilations: ints(-1, -1) }, x: [1, 1, 4, 4] }],
    ['groups of 0', { op: 'Conv', inputs: ['x', 'w'], attributes: { group: int(0) }, x: [1, 1, 4, 4] }],
    ['blocks of 0', { op: 'SpaceToDepth', attributes: { blocksize: int(0) }, x: [1, 4, 4, 4] }],
    ['blocks of −2', { op: 'DepthToSpace', attributes: { blocksize: int(-2) }, x: [1, 4, 4, 4] }],
    ['a kernel of 0', { op: 'MaxPool', attributes: { kernel_shape: ints(0, 0) }, x: [1, 1, 4, 4] }],
    ['0 outputs', { op: 'Split', attributes: { num_outputs: int(0) }, opset: 18 }],
  ])('O7: %s ends in a typed error, and never in a division by zero', async (_, parts) => {
    const weight = makeTensor('w', 'f32', [1, 1, 2, 2], new Float32Array(4));
    const initializers = parts.inputs ? [weight] : [];
    const { code, message } = await refusal(one({ ...parts, initializers }), { x: f32((parts.x ?? [2, 3]) as number[]) });
    expect(['E_MODEL', 'E_SHAPE', 'E_UNSUPPORTED'], message).toContain(code);
  });

  it('O8: pads that leave nothing of a dimension', async () => {
    const pads = one({ op: 'Pad', inputs: ['x', 'pads'], initializers: [s64('pads', 0, -2, 0, -2)] });
    expect(['E_SHAPE', 'E_MODEL', 'E_UNSUPPORTED']).toContain((await refusal(pads)).code);
  });

  const MIN = -(2n ** 63n);
  it.each([3n, -4n, 2n ** 40n, MIN])('O9: Gather at %d of 3, by a constant or by a feed', async (index) => {
    const fixed = one({ op: 'Gather', inputs: ['x', 'i'], attributes: { axis: int(1) }, initializers: [s64('i', index)] });
    expect(['E_MODEL', 'E_SHAPE', 'E_REQUEST']).toContain((await refusal(fixed)).code);
    for (const op of ['Gather', 'GatherElements', 'GatherND']) {
      const indices = { Gather: [1], GatherElements: [1, 1], GatherND: [1, 1] }[op]!;
      const bytes = encodeModel(
        makeModel({
          nodes: [makeNode(op, ['x', 'i'], ['y'], { name: 'bad' })],
          inputs: [makeValueInfo('x', 'f32', [3, 2]), makeValueInfo('i', 's64', indices)],
          outputs: [makeValueInfo('y', 'f32')],
        }),
      );
      const i: Tensor = { dtype: 's64', dims: indices, data: BigInt64Array.of(index) };
      expect((await refusal(bytes, { x: f32([3, 2]), i })).code, op).toBe('E_REQUEST');
    }
  });
  it('O9: counts −1 from the end, and finds nothing in an axis of size 0', async () => {
    const last = one({ op: 'Gather', inputs: ['x', 'i'], attributes: { axis: int(1) }, initializers: [s64('i', -1)] });
    const session = await (await load(last, { cache: false })).session({ threads: 1 });
    const { y } = await session.run({ x: { dtype: 'f32', dims: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) } });
    expect([...(y!.data as Float32Array)]).toEqual([3, 6]);
    await session.close();
    const empty = one({ op: 'Gather', inputs: ['x', 'i'], initializers: [s64('i', 0)], x: ['n', 3] });
    expect(['E_REQUEST', 'E_MODEL', 'E_SHAPE']).toContain((await refusal(empty, { x: f32([0, 3]) })).code);
  });

  it.each<[string, Parts]>([
    ['Reshape with two −1', { op: 'Reshape', inputs: ['x', 's'], initializers: [s64('s', -1, -1)] }],
    ['Reshape to another number of elements', { op: 'Reshape', inputs: ['x', 's'], initializers: [s64('s', 4, 2)] }],
    ['Reshape to −2', { op: 'Reshape', inputs: ['x', 's'], initializers: [s64('s', -2, 3)] }],
    ['Expand to 2^40', { op: 'Expand', inputs: ['x', 's'], initializers: [s64('s', 2 ** 40, 2, 3)] }],
    ['Tile to 2^40', { op: 'Tile', inputs: ['x', 's'], initializers: [s64('s', 2 ** 40, 1)] }],
    ['ConstantOfShape to 2^40, folded', { op: 'ConstantOfShape', inputs: ['s'], initializers: [s64('s', 2 ** 40)] }],
    ['ConstantOfShape to 2^64', { op: 'ConstantOfShape', inputs: ['s'], initializers: [s64('s', 2 ** 32, 2 ** 32)] }],
    ['ConstantOfShape of −1', { op: 'ConstantOfShape', inputs: ['s'], initializers: [s64('s', -1)] }],
  ])('O10: %s', async (_, parts) => {
    const started = performance.now();
    const before = process.memoryUsage().rss;
    const { code, message } = await refusal(one(parts));
    expect(['E_SHAPE', 'E_LIMIT', 'E_MODEL'], message).toContain(code);
    expect(performance.now() - started).toBeLessThan(1000);
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 2 ** 20);
  });

  it('O10: a range of 2^40 numbers is refused, also where it would be folded', async () => {
    const scalar = (name: string, value: bigint) => makeTensor(name, 's64', [], BigInt64Array.of(value));
    const initializers = [scalar('from', 0n), scalar('to', 2n ** 40n), scalar('step', 1n)];
    expect(['E_SHAPE', 'E_LIMIT']).toContain((await refusal(one({ op: 'Range', inputs: ['from', 'to', 'step'], initializers }))).code);
    const still = [scalar('from', 0n), scalar('to', 9n), scalar('step', 0n)];
    expect(['E_SHAPE', 'E_MODEL']).toContain(
      (await refusal(one({ op: 'Range', inputs: ['from', 'to', 'step'], initializers: still }))).code,
    );
  });

  it.each(['Loop', 'Scan', 'If'])('O11: %s is refused: nothing in this engine could go round for ever', async (op) => {
    const inner = makeGraph({
      nodes: [makeNode('Identity', ['x'], ['z'], { name: 'through' })],
      inputs: [],
      outputs: [makeValueInfo('z', 'f32', [2, 3])],
    });
    const graph: OnnxAttribute = { type: 'graph', value: inner };
    const attributes: Record<string, OnnxAttribute> =
      op === 'If' ? { then_branch: graph, else_branch: graph } : op === 'Scan' ? { body: graph, num_scan_inputs: int(1) } : { body: graph };
    const bytes = encodeModel(
      makeModel({
        nodes: [makeNode(op, op === 'If' ? ['on'] : op === 'Loop' ? ['trips', 'on'] : ['x'], ['y'], { name: 'bad', attributes })],
        inputs: [makeValueInfo('x', 'f32', [2, 3]), makeValueInfo('on', 'bool', [])],
        outputs: [makeValueInfo('y', 'f32')],
        initializers: op === 'Loop' ? [makeTensor('trips', 's64', [], BigInt64Array.of(2n ** 63n - 1n))] : [],
      }),
    );
    const { code, message } = await errorOf(load(bytes, { cache: false }));
    expect([code, message.includes('"bad"')], message).toEqual(['E_UNSUPPORTED', true]);
  });
});

describe('shapes of a run', () => {
  const relu = one({ op: 'Relu', x: ['n', 3] });
  it('S4: a dim of 0 is fine, a negative one and one beyond all memory are not', async () => {
    const session = await (await load(relu, { cache: false })).session({ threads: 1 });
    expect((await session.run({ x: f32([0, 3]) }))['y']!.dims).toEqual([0, 3]);
    for (const dims of [
      [-1, 3],
      [2 ** 40, 3],
      [2.5, 3],
      [2 ** 60, 3],
    ])
      expect(await errorOf(session.run({ x: { dtype: 'f32', dims, data: new Float32Array(3) } }))).toMatchObject({
        code: expect.stringMatching(/^E_(REQUEST|LIMIT)$/),
        message: expect.stringContaining('x'),
      });
    expect((await session.run({ x: f32([1, 3], -1) }))['y']!.data[0]).toBe(0);
    await session.close();
  });

  const sum = (a: (number | string)[], b: (number | string)[]): Uint8Array =>
    encodeModel(
      makeModel({
        nodes: [makeNode('Add', ['a', 'b'], ['y'], { name: 'sum' })],
        inputs: [makeValueInfo('a', 'f32', a), makeValueInfo('b', 'f32', b)],
        outputs: [makeValueInfo('y', 'f32')],
      }),
    );
  it('S5: one symbol with two values is refused by its name', async () => {
    const error = await refusal(sum(['tokens', 2], ['tokens', 2]), { a: f32([3, 2]), b: f32([4, 2]) });
    expect(error).toMatchObject({ code: 'E_REQUEST', message: expect.stringContaining('tokens') });
  });

  it('S6: two that broadcast to more than there may be are refused before anything is allocated', async () => {
    const before = process.memoryUsage().rss;
    const side = 2 ** 21;
    const error = await refusal(sum(['n', 1], [1, 'm']), { a: f32([side, 1]), b: f32([1, side]) });
    expect(error.code, error.message).toBe('E_LIMIT');
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 2 ** 20);
  });

  it.runIf(process.platform === 'linux')('S8: memory that the system refuses is E_LIMIT, and the process goes on', () => {
    const script = `
      const { load } = await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)});
      const session = await (await load(Uint8Array.from(${JSON.stringify([...sum(['n', 1], [1, 'm'])])}), { cache: false })).session({ threads: 1 });
      const f32 = (dims) => ({ dtype: 'f32', dims, data: new Float32Array(dims[0] * dims[1]).fill(1) });
      // 8 GB of outputs, where the process may have 4.
      await session.run({ a: f32([2 ** 16, 1]), b: f32([1, 2 ** 15]) }).catch((error) => console.log(error.code));
      console.log((await session.run({ a: f32([2, 1]), b: f32([1, 2]) })).y.data.join());
      await session.close();`;
    const { stdout, stderr, status, signal } = spawnSync(
      'bash',
      [
        '-c',
        'ulimit -v 4194304; exec "$0" "$@"',
        process.execPath,
        // Its guard regions take 10 GB of addresses.
        '--disable-wasm-trap-handler',
        '--import',
        'tsx',
        '--conditions=source',
        '--input-type=module',
        '-e',
        script,
      ],
      { encoding: 'utf8', env: { ...process.env, TSX_DISABLE_CACHE: '1' } },
    );
    expect([stdout, status, signal], stderr.slice(-500)).toEqual(['E_LIMIT\n2,2,2,2\n', 0, null]);
  });
});
