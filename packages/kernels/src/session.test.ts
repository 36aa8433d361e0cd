import { EngineError } from '@neural-engine/core';
import { afterAll, describe, expect, it } from 'vitest';
import { NativeSession, Program, packWeights } from './index';
import { linearProgram, linearResult, linearWeights } from './testing';

const [ROWS, M, K] = [130, 17, 24] as const;
const { matrix, bias, specs } = linearWeights(M, K);
const weights = packWeights(specs);
const program = new Program(linearProgram(ROWS, M, K), weights);
/** `products` of about 50 ms each: for runs that must still be busy when something else happens. */
const slow = ((products: number) => {
  const spec = linearProgram(20_000, 256, 256);
  const [first, product, last] = spec.regions;
  return new Program({ ...spec, regions: [first!, ...Array(products).fill(product!), last!] }, packWeights(linearWeights(256, 256).specs));
})(10);
const slowInput = new Float32Array(20_000 * 256);
const slowOutput = new Float32Array(20_000 * 256);

const feed = (seed: number): Float32Array => Float32Array.from({ length: ROWS * K }, (_, i) => ((i * 13 + seed * 7) % 11) - 5);
const detach = ({ buffer }: Float32Array): void => void structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
const code = async (promise: Promise<unknown>): Promise<string> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(EngineError);
  return (error as EngineError).code;
};

const session = new NativeSession({ threads: 2 });
afterAll(() => session.close());

async function runOnce(target: NativeSession, seed = 1): Promise<void> {
  const [x, y] = [feed(seed), new Float32Array(ROWS * M)];
  await target.run(program, [x], [y]);
  expect(y).toEqual(linearResult(x, matrix, bias));
}

describe('running', () => {
  it('gives exactly the product', () => runOnce(session));

  it('gives each of 64 concurrent runs its own answer, the same as alone', async () => {
    await Promise.all(Array.from({ length: 64 }, (_, seed) => runOnce(session, seed)));
    expect(session.pending).toBe(0);
  });

  it('measures every step and barrier of every thread when asked to', async () => {
    const profile = await session.run(program, [feed(1)], [new Float32Array(ROWS * M)], { profile: true });
    expect(profile!.spaceRows).toEqual([ROWS]);
    expect(profile!.regions.map(({ units, steps, barrier }) => [units, steps.map((row) => row.length), barrier.length])).toEqual(
      Array(3).fill([3, [2], 2]),
    );
    expect(profile!.wallNs).toBeGreaterThan(0);
    expect(await session.run(program, [feed(1)], [new Float32Array(ROWS * M)])).toBeUndefined();
  });

  it('keeps the event loop free meanwhile', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 2);
    await session.run(slow, [slowInput], [slowOutput]);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(10);
  });
});

describe('inputs and outputs', () => {
  it('K7: takes a copy of inputs, so that later changes and detaching do not matter', async () => {
    const x = feed(3);
    const want = linearResult(x, matrix, bias);
    const [changed, detached] = [x.slice(), x.slice()];
    const [a, b] = [new Float32Array(ROWS * M), new Float32Array(ROWS * M)];
    const runs = [session.run(program, [changed], [a]), session.run(program, [detached], [b])];
    changed.fill(9);
    detach(detached);
    await Promise.all(runs);
    expect(a).toEqual(want);
    expect(b).toEqual(want);
  });

  it('K7: reads a SharedArrayBuffer and a view into a larger buffer', async () => {
    const x = feed(4);
    const shared = new Float32Array(new SharedArrayBuffer(x.byteLength));
    shared.set(x);
    const offset = new Float32Array(x.length + 3).subarray(3);
    offset.set(x);
    for (const input of [shared, offset]) {
      const y = new Float32Array(ROWS * M);
      await session.run(program, [input], [y]);
      expect(y).toEqual(linearResult(x, matrix, bias));
    }
  });

  it('K8: refuses what is no typed array of the right type and length, whatever it claims', async () => {
    class Liar extends Float32Array {
      override get length(): number {
        return ROWS * K;
      }
    }
    const detached = feed(1);
    detach(detached);
    const resizable = new (ArrayBuffer as unknown as new (size: number, o: { maxByteLength: number }) => ArrayBuffer)(ROWS * K * 4, {
      maxByteLength: ROWS * K * 4,
    });
    const shrunk = new Float32Array(resizable);
    (resizable as unknown as { resize(size: number): void }).resize(16);
    const wrong: unknown[] = [
      new Float64Array(ROWS * K),
      new Int32Array(ROWS * K),
      new Float32Array(ROWS * K - 1),
      new Float32Array(ROWS * K + 1),
      new Liar(3),
      new Proxy(feed(1), {}),
      Object.create(Float32Array.prototype),
      Array.from(feed(1)),
      new DataView(new ArrayBuffer(ROWS * K * 4)),
      detached,
      shrunk,
      null,
      undefined,
    ];
    for (const x of wrong) {
      expect(await code(session.run(program, [x as Float32Array], [new Float32Array(ROWS * M)]))).toBe('E_USAGE');
    }
    expect(await code(session.run(program, [], [new Float32Array(ROWS * M)]))).toBe('E_USAGE');
    expect(await code(session.run(program, [feed(1)], [new Float32Array(ROWS * M - 1)]))).toBe('E_USAGE');
    await runOnce(session);
  });

  it('K7: refuses an output that was detached while the run was going on', async () => {
    const y = new Float32Array(ROWS * M);
    const run = session.run(program, [feed(1)], [y]);
    detach(y);
    expect(await code(run)).toBe('E_USAGE');
    await runOnce(session);
  });

  it('refuses outputs that share memory', async () => {
    const spec = linearProgram(ROWS, M, K);
    const two = new Program(
      {
        ...spec,
        outputs: [spec.outputs[0]!, { ...spec.outputs[0]!, name: 'z' }],
        buffers: [...spec.buffers, { place: { output: 1 }, dtype: 'f32', layout: { rows: [ROWS, M] } }],
        regions: [...spec.regions, { units: spec.regions[0]!.units, steps: [{ op: 'to_rows', x: 2, y: 4 }] }],
      },
      weights,
    );
    const y = new Float32Array(ROWS * M);
    expect(await code(session.run(two, [feed(1)], [y, y]))).toBe('E_USAGE');
    await session.run(two, [feed(1)], [y, new Float32Array(ROWS * M)]);
  });

  it('widens Int32Array for an s64 input', async () => {
    const spec = linearProgram(4, 4, 4);
    const copy = new Program(
      {
        ...spec,
        inputs: [{ name: 'ids', dtype: 's64', dims: [4] }],
        outputs: [{ name: 'y', dtype: 's64', dims: [4] }],
        buffers: [
          { place: { input: 0 }, dtype: 's64', layout: { rows: [4] } },
          { place: { output: 0 }, dtype: 's64', layout: { rows: [4] } },
        ],
        regions: [
          { units: 'whole', steps: [{ op: 'generic', kind: 'strided', x: [0], y: [1], attrs: { dims: [4], strides: [1], offset: 0 } }] },
        ],
      },
      weights,
    );
    const y = new BigInt64Array(4);
    await session.run(copy, [Int32Array.of(1, -2, 2 ** 31 - 1, -(2 ** 31))], [y]);
    expect([...y]).toEqual([1n, -2n, 2n ** 31n - 1n, -(2n ** 31n)]);
  });
});

describe('ending early', () => {
  it('ends a running and a waiting run when their signal aborts, and runs on', async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const running = session.run(slow, [slowInput], [slowOutput], { signal: first.signal });
    const waiting = session.run(slow, [slowInput], [slowOutput], { signal: second.signal });
    const ends: string[] = [];
    const note = (name: string) => (error: EngineError) => ends.push(`${name} ${error.code}`);
    const all = [running.catch(note('first')), waiting.catch(note('second'))];
    second.abort(new Error('enough'));
    await all[1];
    first.abort();
    await all[0];
    expect(ends).toEqual(['second E_ABORTED', 'first E_ABORTED']);
    expect(await code(session.run(program, [feed(1)], [new Float32Array(ROWS * M)], { signal: AbortSignal.abort() }))).toBe('E_ABORTED');
    for (const signal of [{ aborted: false }, null]) {
      const run = session.run(program, [feed(1)], [new Float32Array(ROWS * M)], { signal: signal as unknown as AbortSignal });
      expect(await code(run)).toBe('E_USAGE');
    }
    await runOnce(session);
  });

  it('finishes runs that were queued before it was closed, and refuses later ones', async () => {
    const other = new NativeSession({ threads: 2 });
    const runs = [runOnce(other, 1), runOnce(other, 2)];
    const closed = [other.close(), other.close()];
    expect(await code(other.run(program, [feed(1)], [new Float32Array(ROWS * M)]))).toBe('E_USAGE');
    await Promise.all([...runs, ...closed]);
    await other.close();
  });

  it('survives a storm of sessions that are closed or forgotten', async () => {
    for (let i = 0; i < 50; i++) {
      const other = new NativeSession({ threads: 2 });
      const run = runOnce(other, i);
      if (i % 2) await other.close();
      await run;
    }
  });
});

describe('options', () => {
  it('refuses thread counts and cores that make no sense', () => {
    for (const options of [{ threads: 0 }, { threads: -1 }, { threads: 1.5 }, { threads: Number.NaN }, { threads: 1e9 }, { cores: [-1] }]) {
      expect(() => new NativeSession(options)).toThrow(EngineError);
    }
  });

  it('runs on the cores it was given, and on those that are there when they are not', async () => {
    for (const cores of [[0], [0, 1], [4000]]) {
      const other = new NativeSession({ cores });
      expect(other.threads).toBe(cores.length);
      await runOnce(other);
      await other.close();
    }
  });
});
