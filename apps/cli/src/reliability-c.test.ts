import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readIr } from '@neural-engine/ir';
import { makeModel, makeNode, makeValueInfo, writeModel } from '@neural-engine/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inProcess } from './__fixtures__/in-process';
import { type Result, run, type Surroundings } from './__fixtures__/run';
import { twoProducts, wave } from './__fixtures__/two-products';
import { writeNpz } from './npz';

/** How long a process is stopped; 30 by hand. */
const STOPPED_SECONDS = Number(process.env['NE_STOPPED_SECONDS'] ?? 3);
const folder = mkdtempSync(join(tmpdir(), 'ne-c-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);
const tiny = at('tiny.onnx');
const samples = at('samples');
const input = at('x.json');

beforeAll(async () => {
  await writeModel(twoProducts(), tiny);
  mkdirSync(samples);
  for (let i = 0; i < 300; i++)
    writeFileSync(join(samples, `${1000 + i}.npz`), writeNpz([['x', { dtype: 'f32', dims: [1, 16], data: wave(16, i + 1) }]]));
  writeFileSync(input, JSON.stringify({ x: [Array.from({ length: 16 }, (_, i) => i)] }));
});

process.env['NE_CACHE_DIR'] = at('cache');
/** In a process of its own: for signals, pipes and the environment. */
const ne = (args: readonly string[], surroundings: Surroundings = {}): Promise<Result> =>
  run('ne', args, { ...surroundings, env: { NE_CACHE_DIR: at('cache'), ...surroundings.env } });
const hidden = (path = folder): string[] => readdirSync(path).filter((name) => name.startsWith('.'));
const bytesOf = (path: string): Buffer[] =>
  statSync(path).isDirectory()
    ? readdirSync(path)
        .sort()
        .map((name) => readFileSync(join(path, name)))
    : [readFileSync(path)];

describe('C1: arguments that mean nothing start nothing', () => {
  it.each([
    ['an unknown flag', ['bench', '--nonsense'], 'E_USAGE'],
    ['an unknown command', ['benhc'], 'bench'],
    ['a missing value', ['bench', '--threads'], 'E_USAGE'],
    ['zero iterations', ['bench', '-i', '0'], '--iterations 0'],
    ['zero threads', ['answer', 'q', '-c', '-', '--threads', '0'], '--threads 0'],
    ['negative threads', ['answer', 'q', '-c', '-', '--threads', '-1'], 'E_USAGE'],
    ['threads that are no number', ['answer', 'q', '-c', '-', '--threads', 'abc'], '--threads abc'],
    ['a billion threads', ['answer', 'q', '-c', '-', '--threads', '1e9'], '--threads 1e9'],
    ['texts in batches of none', ['embed', 'model', '--input', '-', '--batch-size', '0'], '--batch-size 0'],
    ['flags that contradict each other', ['bench', '-e', 'onnxruntime', '--processes'], '--processes'],
    ['two results in one file', ['profile', '--csv', join(folder, 'same'), '--html', join(folder, 'same')], 'another result'],
  ])('C1: %s', async (_, args, text) => {
    const { code, out, err } = await inProcess(args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(text);
    expect(err.trim().split('\n').length).toBeLessThanOrEqual(2);
    expect(readdirSync(folder)).not.toContain('same');
  });
});

describe('C2: an output and what is there', () => {
  it('C2: replaces nothing without --force, and keeps the old until the new is complete', async () => {
    const ir = at('kept-ir');
    expect((await inProcess(['compile', tiny, '-o', ir])).code).toBe(0);
    const before = bytesOf(ir);
    expect(await inProcess(['compile', tiny, '-o', ir])).toMatchObject({ code: 73, err: expect.stringContaining('--force') });
    // With --force, but a failure on the way.
    expect((await inProcess(['quantize', tiny, '-o', ir, '--force', '-c', at('absent')])).code).toBe(66);
    expect(bytesOf(ir)).toEqual(before);
    expect((await inProcess(['compile', tiny, '-o', ir, '--force'])).code).toBe(0);
  });

  it.each([
    ['run', (file: string) => ['run', tiny, '-i', input, '-o', file]],
    ['prune', (file: string) => ['prune', tiny, '-o', file]],
    ['quantize', (file: string) => ['quantize', tiny, '-p', 'bf16', '-o', file]],
    ['quantize --save-recipe', (file: string) => ['quantize', tiny, '-p', 'bf16', '-o', at('never.onnx'), '--save-recipe', file]],
    ['sparsity', (file: string) => ['sparsity', tiny, '--html', file]],
    ['inspect', (file: string) => ['inspect', tiny, '--graph', 'dot', '--save', file]],
    ['bench', (file: string) => ['bench', tiny, '-i', '3', '--html', file]],
    ['profile', (file: string) => ['profile', tiny, '-i', '3', '--csv', file]],
  ])('C2: a file is replaced by --force alone, by "ne %s"', async (name, args) => {
    const file = at(`${name.replace(/\W/g, '')}-result${name === 'quantize' ? '.onnx' : ''}`);
    writeFileSync(file, 'old');
    expect(await inProcess(args(file))).toMatchObject({ code: 73, out: '', err: expect.stringContaining('--force') });
    expect(readFileSync(file, 'utf8')).toBe('old');
    expect(existsSync(at('never.onnx'))).toBe(false);
    expect(await inProcess([...args(file), '--force'])).toMatchObject({ code: 0 });
    expect(readFileSync(file, 'utf8')).not.toBe('old');
    rmSync(at('never.onnx'), { force: true });
    expect(hidden()).toEqual([]);
  });

  it('C2: refuses an input as output, however it is spelled, and a place inside one', async () => {
    const ir = at('read-ir');
    await inProcess(['compile', tiny, '-o', ir]);
    symlinkSync(tiny, at('link.onnx'));
    for (const args of [
      ['quantize', at('link.onnx'), '-p', 'bf16', '-o', tiny, '--force'],
      ['prune', tiny, '-o', `${folder}/../${folder.split('/').at(-1)}/tiny.onnx`, '--force'],
      ['quantize', ir, '-o', ir, '-p', 'bf16', '--force'],
      ['transpose', ir, '-o', join(ir, 'inner')],
      ['run', tiny, '-i', input, '-o', input, '--force'],
      ['quantize', tiny, '-c', samples, '-o', join(samples, 'ir')],
    ])
      expect(await inProcess(args), args.join(' ')).toMatchObject({ code: 2, err: expect.stringContaining('which is read') });
    expect((await readIr(ir)).nodes.length).toBeGreaterThan(0);
    expect(readdirSync(samples)).toHaveLength(300);
  });
});

describe('C3: places where nothing can be made, and odd names', () => {
  it.each([
    ['a name of 300 bytes', join(folder, 'x'.repeat(300))],
    ['a folder below a file', join(folder, 'tiny.onnx', 'below')],
    ['a name of nothing', ''],
  ])('C3: %s', async (_, output) => {
    for (const command of [
      ['compile', tiny],
      ['prune', tiny],
    ]) {
      const { code, err } = await inProcess([...command, '-o', output]);
      expect([73, 2], err).toContain(code);
      expect(err).not.toContain('    at ');
    }
    expect(hidden()).toEqual([]);
  });

  it('C3: a missing folder above a file, and one that may not be written to', async () => {
    expect(await inProcess(['prune', tiny, '-o', at('missing/p.onnx')])).toMatchObject({
      code: 73,
      err: expect.stringContaining('E_CANTCREAT'),
    });
    // The system's own read-only place: permissions do not hold back a super-user.
    expect(await inProcess(['compile', tiny, '-o', '/proc/ne-out'])).toMatchObject({
      code: 73,
      err: expect.stringContaining('E_CANTCREAT'),
    });
    expect(await inProcess(['inspect', tiny, '--graph', 'dot', '--save', '/proc/ne-out'])).toMatchObject({ code: 73 });
  });

  it('C3: names with a dash, a new line and another script are taken as they are', async () => {
    for (const name of ['-dash.onnx', 'new\nline.onnx', 'ξένο ✓.onnx', '%s$(id).onnx']) {
      expect(await inProcess(['quantize', tiny, '-p', 'bf16', `--output=${name}`], { cwd: folder }), name).toMatchObject({ code: 0 });
      expect(readdirSync(folder)).toContain(name);
      const again = await inProcess(['quantize', tiny, '-p', 'bf16', `--output=${name}`], { cwd: folder });
      expect(again.code).toBe(73);
      expect(again.err.trim().split('\n')).toHaveLength(name.includes('\n') ? 2 : 1);
    }
    expect(hidden()).toEqual([]);
  });
});

describe('C4: a reader that goes away', () => {
  it.each([
    ['at the first line', { stdout: 'first' }],
    ['before anything came', { stdout: 'at once' }],
    ['from stderr', { stderr: 'at once' }],
  ] as const)('C4: %s', async (_, close) => {
    const { code, signal, err } = await ne(['sparsity', '--json'], { close });
    expect([code, signal, err]).toEqual([0, null, '']);
  });

  it('C4: leaves no part of a file', async () => {
    const output = at('quiet-ir');
    const { code } = await ne(['transpose', tiny, '-o', output, '--json'], { close: { stdout: 'at once', stderr: 'at once' } });
    expect(code).toBe(0);
    if (existsSync(output)) expect(readdirSync(output).sort()).toEqual(['conf.yaml', 'model.bin']);
    expect(hidden()).toEqual([]);
  });
});

it('C5: the environment changes no byte of what comes out', async () => {
  const odd = { LANG: 'C', LC_ALL: 'tr_TR.UTF-8', TZ: 'Pacific/Chatham', HOME: '', NODE_OPTIONS: '--no-deprecation --stack-trace-limit=1' };
  const [plain, other] = await Promise.all([
    ne(['quantize', tiny, '-c', samples, '-t', '1', '-o', at('plain-ir'), '--json']),
    ne(['quantize', tiny, '-c', samples, '-t', '1', '-o', at('other-ir'), '--json'], { env: odd }),
  ]);
  expect([plain.code, other.code]).toEqual([0, 0]);
  expect(other.out).toBe(plain.out.replaceAll('plain-ir', 'other-ir'));
  expect(bytesOf(at('other-ir'))).toEqual(bytesOf(at('plain-ir')));
  // What Node itself refuses never reaches the command; it must not look like success.
  expect((await ne(['--version'], { env: { NODE_OPTIONS: '--no-such-option' } })).code).not.toBe(0);
});

it('C6: control characters of names are escaped when they are printed', async () => {
  const hostile = at('hostile\u001b[2J.onnx');
  const graph = {
    nodes: [makeNode('Nonsense', ['x'], ['y'], { name: 'red\u001b[31m' })],
    inputs: [makeValueInfo('x', 'f32', [1])],
    outputs: [makeValueInfo('y', 'f32', [1])],
  };
  await writeModel(makeModel(graph), hostile);
  for (const args of [
    ['inspect', hostile],
    ['inspect', at('absent\u001b]0;title\u0007.onnx')],
    ['quantize', hostile, '-o', hostile],
  ]) {
    const { code, out, err } = await inProcess(args);
    expect([69, 66, 2]).toContain(code);
    expect(out + err).not.toMatch(/[\u001b\u0007]/);
    expect(err).toContain('\\x1b');
  }
  const named = makeModel({ ...graph, nodes: [makeNode('Relu', ['x'], ['y'], { name: 'red\u001b[31m' })] });
  await writeModel(named, at('named.onnx'));
  for (const form of ['text', 'md', 'csv', 'json'])
    expect((await inProcess(['inspect', at('named.onnx'), '-o', form])).out, form).not.toContain('\u001b');
});

describe('C7: two runs to one output', () => {
  it.each(['locked-ir', 'locked.onnx'])('C7: the second is refused at once, while the first calibrates for %s', async (name) => {
    const output = at(name);
    let second: Promise<Result & { ms: number }> | undefined;
    const started = Date.now();
    const first = await ne(['quantize', tiny, '-c', samples, '-t', '1', '-o', output], {
      when: {
        said: /calibrating: 10%/,
        act: (pid) => {
          // The first holds still meanwhile, so that it cannot have ended.
          process.kill(pid, 'SIGSTOP');
          second = ne(['quantize', tiny, '-c', samples, '-t', '1', '-o', output])
            .then((result) => ({ ...result, ms: Date.now() - started }))
            .finally(() => process.kill(pid, 'SIGCONT'));
        },
      },
    });
    expect(first).toMatchObject({ code: 0, signal: null });
    const refused = await second!;
    expect(refused).toMatchObject({ code: 75, out: '' });
    expect(refused.err).toMatch(
      /^error\[E_LOCKED\] save: ".*" is being written by process \d+ \(.*\) since .*; wait for it, end it, or name another output\n$/,
    );
    expect(refused.err).not.toContain('calibrating');
    expect(existsSync(output)).toBe(true);
    expect(hidden()).toEqual([]);
  });

  it('C7: of two at the same time one wins whole, and the other is E_LOCKED', async () => {
    const output = at('raced-ir');
    await ne(['quantize', tiny, '-p', 'bf16', '-o', at('expected-ir')]);
    const expected = bytesOf(at('expected-ir'));
    for (let round = 0; round < 3; round++) {
      const args = ['quantize', tiny, '-p', 'bf16', '-o', output, '--force'];
      const codes = (await Promise.all([ne(args), ne(args)])).map(({ code }) => code).sort();
      expect([
        [0, 0],
        [0, 75],
      ]).toContainEqual(codes);
      expect(bytesOf(output)).toEqual(expected);
      expect(hidden()).toEqual([]);
    }
  });
});

describe('G3: a signal in the middle', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('G3: %s during a calibration', async (signal, code) => {
    const output = at(`signalled-${signal}`);
    await ne(['compile', tiny, '-o', output]);
    const before = bytesOf(output);
    const args = ['quantize', tiny, '-c', samples, '-t', '1', '-o', output, '--force', '--save-recipe', at('recipe.json')];
    const result = await ne(args, { interrupt: { after: /calibrating: 10%/, with: signal } });
    expect(result).toMatchObject({ code, signal: null, out: '' });
    expect(bytesOf(output)).toEqual(before);
    expect(hidden(output)).toEqual([]);
    expect(hidden()).toEqual([]);
    expect(existsSync(at('recipe.json'))).toBe(false);
  });

  it.each(['saved-ir', 'saved.onnx'])('G3: SIGINT while %s is written', async (name) => {
    const [output, large] = [at(name), at('large.onnx')];
    // 64 MiB: long enough on its way to the disk to be met there.
    if (!existsSync(large)) await writeModel(twoProducts({ width: 2 ** 19 }), large);
    const args = name.endsWith('.onnx') ? ['prune', large, '--sparsity', '0'] : ['compile', large];
    const place = name.endsWith('.onnx') ? folder : output;
    await ne(name.endsWith('.onnx') ? ['prune', tiny, '-o', output] : ['compile', tiny, '-o', output]);
    const before = bytesOf(output);
    let met = false;
    for (let attempt = 0; attempt < 3 && !met; attempt++) {
      let pid = 0;
      const child = ne([...args, '-o', output, '--force'], {
        prefix: ['bash', '-c', 'echo "pid $$" >&2; exec "$@"', 'bash'],
        when: { said: /pid \d+/, act: (id) => (pid = id) },
      });
      let isOver = false;
      void child.finally(() => (isOver = true));
      while (!isOver && !readdirSync(place).some((one) => /^\..*\d+-[0-9a-f]{12}\.tmp$/.test(one) && !one.includes('.lock.')))
        await new Promise((resolve) => setTimeout(resolve, 2));
      if (!isOver) process.kill(pid, 'SIGINT');
      const { code } = await child;
      expect(hidden()).toEqual([]);
      expect(hidden(place)).toEqual([]);
      met = code === 130;
      if (met) expect(bytesOf(output)).toEqual(before);
    }
    expect(met).toBe(true);
    rmSync(output, { recursive: true });
  });

  it('F7: what a killed run left does not hinder the next one, and goes with it', async () => {
    const output = at('killed-ir');
    const killed = await ne(['quantize', tiny, '-c', samples, '-t', '1', '-o', output], {
      interrupt: { after: /calibrating/, with: 'SIGKILL' },
    });
    expect(killed.signal).toBe('SIGKILL');
    expect(existsSync(output)).toBe(false);
    expect(await ne(['quantize', tiny, '-c', samples, '-t', '1', '-o', output])).toMatchObject({ code: 0 });
    expect(hidden()).toEqual([]);
  });

  it(
    `G6: stopped for ${STOPPED_SECONDS} s and continued, a run gives the same bytes`,
    async () => {
      const output = at('stopped-ir');
      const stopped = await ne(['quantize', tiny, '-c', samples, '-t', '1', '-o', output], {
        when: {
          said: /calibrating: 10%/,
          act: (pid) => {
            process.kill(pid, 'SIGSTOP');
            setTimeout(() => process.kill(pid, 'SIGCONT'), STOPPED_SECONDS * 1000);
          },
        },
      });
      expect(stopped.code).toBe(0);
      await ne(['quantize', tiny, '-c', samples, '-t', '1', '-o', at('steady-ir')]);
      expect(bytesOf(output)).toEqual(bytesOf(at('steady-ir')));
    },
    (STOPPED_SECONDS + 60) * 1000,
  );
});
