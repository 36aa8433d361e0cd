import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeModel, makeNode, makeTensor, makeValueInfo, writeModel } from '@neural-engine/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findBrowser, openPage } from '../__fixtures__/browser';
import { inProcess } from '../__fixtures__/in-process';
import { run } from '../__fixtures__/run';
import { benchColumns } from './columns';
import { benchCommand } from './command';
import { measureInstance } from './instance';
import { casesOf } from './options';
import { instanceCandidates, latencyLimit, launcherCsv, replay } from './search';
import { windowSpread } from './stable-window';

const folder = mkdtempSync(join(tmpdir(), 'ne-bench-'));
const tiny = join(folder, 'tiny.onnx');
const surroundings = { env: { NE_CACHE_DIR: join(folder, 'cache') } };
const ne = (...args: string[]) => run('ne', ['bench', tiny, ...args], surroundings);

beforeAll(async () => {
  const weight = makeTensor(
    'w',
    'f32',
    [4, 4],
    Float32Array.from({ length: 16 }, (_, i) => i / 16),
  );
  const graph = {
    nodes: [makeNode('MatMul', ['x', 'w'], ['y'], { name: 'product' })],
    inputs: [makeValueInfo('x', 'f32', ['batch', 4])],
    outputs: [makeValueInfo('y', 'f32', ['batch', 4])],
    initializers: [weight],
  };
  await writeModel(makeModel(graph), tiny);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('the stable-window rule', () => {
  it('compares the last three windows, and says nothing of fewer runs than make three', () => {
    expect(windowSpread([1, 1, 1, 1, 1, 1, 1, 1])).toBeUndefined();
    expect(windowSpread(Array(9).fill(2))).toBe(0);
    expect(windowSpread([1, 1, 1, 2, 2, 2, 3, 3, 3])).toBeCloseTo(1);
    expect(windowSpread([50, 1, 1, 1, 1, 1, 1, 1, 1, 1])).toBe(0); // what is left over is the oldest
  });
  it('measures on until windows agree, or ten of them are done', async () => {
    let calls = 0;
    const settling = async (): Promise<void> => {
      const until = performance.now() + (calls++ < 4 ? 8 : 1);
      while (performance.now() < until);
    };
    const settled = await measureInstance({ run: settling, warmup: 0, iterations: 3, stable: 0.3 });
    expect(settled.latenciesMs.length).toBeGreaterThanOrEqual(12);
    let wild = 0;
    const never = async (): Promise<void> => {
      const until = performance.now() + (wild++ % 6 < 3 ? 3 : 0.1);
      while (performance.now() < until);
    };
    expect((await measureInstance({ run: never, warmup: 0, iterations: 3, stable: 0.01 })).latenciesMs).toHaveLength(30);
  });
  it('stops at the signal with what it has', async () => {
    const abort = new AbortController();
    let calls = 0;
    const times = await measureInstance({
      run: async () => void (++calls === 5 && abort.abort()),
      warmup: 0,
      iterations: 50,
      signal: abort.signal,
    });
    expect([times.latenciesMs.length, times.interrupted]).toEqual([5, true]);
  });
});

describe('sweeps', () => {
  it('runs through every combination, the batch size fastest', () => {
    const cases = casesOf({
      model: '',
      batchSizes: [1, 2],
      seqLens: [8, 16],
      threads: [1, 2],
      iterations: 1,
      warmup: 0,
    });
    expect(cases.map(({ batch, seqLen, threads }) => `${batch}/${seqLen}/${threads}`)).toEqual([
      '1/8/1',
      '2/8/1',
      '1/16/1',
      '2/16/1',
      '1/8/2',
      '2/8/2',
      '1/16/2',
      '2/16/2',
    ]);
    expect(casesOf({ model: '', batchSizes: [1], seqLens: [8], mode: 'throughput', iterations: 1, warmup: 0 })[0]!.instances).toBe('auto');
  });
  it('tries 1, 2, 4, … instances up to one a core', () => {
    expect([1, 2, 6, 8].map(instanceCandidates)).toEqual([[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]);
  });
  it.each([
    ['10ms', 10],
    ['0.5 s', 500],
    ['7', 7],
    ['250us', 0.25],
  ])('reads the limit %s', (text, ms) => expect(latencyLimit(text)).toBe(ms));
  it.each(['', 'fast', '-3ms', '0ms', '5 min'])('refuses the limit "%s"', (text) =>
    expect(() => latencyLimit(text)).toThrow('--latency-limit'),
  );
  const row = {
    precision: 'as stored',
    batch: 8,
    seqLen: 128,
    instances: 2,
    threads: 4,
    cores: '0+1+2+3 4+5+6+7',
    throughput: 100,
    mean: 32,
    p50: 16,
    p90: 40,
    p99: 48,
  };
  it("writes the launcher's columns, its spelling and all, latencies of a sample, and the best row below", () => {
    const header = 'batch,instance,cores per instance,Troughput,Average Latency,P50 Latency,P90 Latency,P99 Latency,cmd';
    const line = '8,2,4,100.000,4.000,2.000,5.000,6.000,"ne bench ir -b 8 -s 128 -i 50 --instances 2 --threads 4 --cores 0,1,2,3,4,5,6,7"';
    expect(launcherCsv({ model: 'ir', iterations: 50 }, [row], row).split('\n')).toEqual([header, line, '', 'best', header, line, '']);
  });
  it('replays a row with all that it was measured with', () => {
    const how = {
      model: 'm.onnx',
      iterations: 20,
      processes: true,
      sparse: 'never',
      embeddings: 'int8',
      rounding: 'file',
      tune: 'off',
    } as const;
    expect(replay(how, { ...row, precision: 'int8', cores: null })).toBe(
      'ne bench m.onnx -b 8 -s 128 -i 20 --instances 2 --threads 4 --precision int8 --sparse never --embeddings int8 --rounding file --tune off --processes',
    );
    expect(replay({ ...how, model: "my models/it's" }, row)).toContain("ne bench 'my models/it'\\''s' -b ");
  });
});

describe('ne bench', () => {
  const browser = findBrowser();

  it('sweeps instances and batches, and draws a page and a picture that a browser opens', async () => {
    const [html, svg] = [join(folder, 'sweep.html'), join(folder, 'sweep.svg')];
    const { code, out, err } = await ne('-b', '1,2,4-5', '-n', '1,2', '-t', '1', '-i', '6', '--html', html, '--svg', svg, '--json');
    expect([code, err.includes('    at ')]).toEqual([0, false]);
    const { rows } = JSON.parse(out);
    expect(rows.map((row: Record<string, number>) => [row['instances'], row['batch']])).toEqual(
      [1, 2].flatMap((n) => [1, 2, 4, 5].map((b) => [n, b])),
    );
    expect(rows[7]).toMatchObject({ threads: 1, runs: 12, interrupted: false, p999: expect.any(Number), throughput: expect.any(Number) });
    expect(readFileSync(html, 'utf8')).not.toMatch(/src=|href=|url\(|@import|<script/);
    if (!browser) return;
    for (const [file, marks] of [
      [html, ['<h1>', '<table>']],
      [svg, ['samples/s']],
    ] as const) {
      const { dom, complaints } = openPage(browser, file);
      expect(complaints).toEqual([]);
      expect(dom.match(/<circle /g)).toHaveLength(8);
      for (const mark of marks) expect(dom).toContain(mark);
    }
  });

  it('finds the best throughput under a limit, leaves out what cannot meet it, and says so when nothing does', async () => {
    const csv = join(folder, 'out.csv');
    const roomy = await ne('--latency-limit', '10s', '-b', '1,2', '-n', '1', '-t', '1', '-i', '5', '--output-file', csv, '--json');
    const { rows, best } = JSON.parse(roomy.out);
    expect(rows).toHaveLength(2);
    expect(best.throughput).toBe(Math.max(...rows.map((row: { throughput: number }) => row.throughput)));
    expect(roomy.err).toContain('best within p99 ≤ 10000 ms');
    expect(readFileSync(csv, 'utf8').split('\n').filter(Boolean)).toHaveLength(6);
    const tight = await ne('--latency-limit', '0.1us', '--latency-by', 'p50', '-b', '4,2,1', '-n', '1', '-t', '1', '-i', '5', '-o', 'csv');
    expect(tight.out.trim().split('\n')).toHaveLength(2);
    expect(tight.err).toContain('2 combinations were left out');
    expect(tight.err).toContain('no combination stays within p50 ≤ 0.0001 ms');
  });

  it('runs instances in processes of their own over one mapping, and follows each to its end', async () => {
    const { code, out } = await ne('--processes', '-n', '2', '-t', '1', '-i', '5', '--json');
    expect(code).toBe(0);
    const [row] = JSON.parse(out).rows;
    expect(row).toMatchObject({ instances: 2, runs: 10 });
    expect(row.uss).toBeGreaterThan(0);
    expect(row.pss).toBeGreaterThan(row.uss);
    expect(row.rss).toBeGreaterThan(row.pss);
    const { fromMs, toMs, counts, slower } = row.histogram;
    expect([fromMs, counts.length]).toEqual([row.min, 10]);
    expect(toMs).toBeGreaterThan(fromMs);
    expect(counts.reduce((sum: number, count: number) => sum + count, slower)).toBe(10);
    const broken = await run('ne', ['bench', join(folder, 'absent.onnx'), '--processes', '-n', '2'], surroundings);
    expect(broken).toMatchObject({ code: 66, out: '' });
  });

  it('runs another model in turn, here the same one, in one row with the ratio of the pairs', async () => {
    const { code, out, err } = await ne(
      '--against',
      tiny,
      '--against-sparse',
      'never',
      '-t',
      '1',
      '-i',
      '9',
      '--embeddings',
      'int8',
      '--json',
    );
    expect([code, err.includes('    at ')]).toEqual([0, false]);
    const { rows, against } = JSON.parse(out);
    expect(against).toBe(tiny);
    expect(rows).toEqual([expect.objectContaining({ runs: 9, againstP50: expect.any(Number), againstMin: expect.any(Number) })]);
    const [{ ratio, p50, againstP50, againstMin }] = rows;
    expect(againstMin).toBeLessThanOrEqual(againstP50);
    // The median of ratios is near the ratio of medians; a factor of four would be another figure.
    expect(Math.abs(Math.log(ratio / (againstP50 / p50)))).toBeLessThan(Math.log(4));
    expect(benchColumns(rows).map(({ title }) => title)).toEqual(expect.arrayContaining(['against P50 ms', 'times as fast']));
    const absent = await ne('--against', join(folder, 'absent.onnx'), '-i', '1');
    expect(absent).toMatchObject({ code: 66, out: '', err: expect.stringContaining('absent.onnx') });
  });

  it.runIf(process.platform === 'linux').each([
    // Loading sources takes a second by itself; nothing can be noticed meanwhile.
    ['while they start', 0, 4000],
    ['while they measure', 4, 1000],
  ])('G5: killed %s, it takes the processes of its instances along within a second', async (_, cpuSeconds, withinMs) => {
    let children: number[] = [];
    let killed = 0;
    const args = ['bench', tiny, '-i', '1000000', '--processes', '-n', '2', '-t', '1'];
    const { signal } = await run('ne', args, {
      ...surroundings,
      when: {
        said: /tiny/,
        act: async (pid) => {
          const spent = () => children.reduce((sum, child) => sum + cpuSecondsOf(child), 0);
          const until = Date.now() + 20_000;
          while ((children.length < 2 || spent() < cpuSeconds) && Date.now() < until) {
            children = childrenOf(pid);
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
          killed = performance.now();
          process.kill(pid, 'SIGKILL');
        },
      },
    });
    expect([signal, children.length]).toEqual(['SIGKILL', 2]);
    // They have its streams, which close with the last of them.
    expect(performance.now() - killed).toBeLessThan(withinMs);
    await expect.poll(() => children.filter(isAlive), { timeout: 500, interval: 10 }).toEqual([]);
  });

  it('prints what it has on Ctrl-C, with exit code 130, in one process and in several', async () => {
    for (const processes of [[], ['--processes', '-n', '2', '-t', '1']]) {
      const interrupted = await run('ne', ['bench', tiny, '-i', '1000000', ...processes, '--json'], {
        ...surroundings,
        interrupt: { after: /tiny/, with: 'SIGINT' },
      });
      expect(interrupted, interrupted.err).toMatchObject({ code: 130 });
      const { rows } = JSON.parse(interrupted.out);
      if (rows.length > 0) expect(rows[0]).toMatchObject({ interrupted: true });
      expect(interrupted.err).toContain('interrupted');
    }
  });

  it.each([
    [{ mode: 'fast' }, '--mode fast'],
    [{ instances: '0' }, '--instances 0'],
    [{ cores: '99999' }, 'CPU 99999'],
    [{ stable: '0' }, '--stable 0'],
    [{ precision: 'int3' }, '--precision int3'],
    [{ latencyLimit: 'soon' }, '--latency-limit soon'],
    [{ latencyLimit: '1ms', latencyBy: 'p42' }, '--latency-by p42'],
    [{ engine: 'onnxruntime', instances: '2' }, 'onnxruntime'],
    [{ engine: 'tvm' }, '--engine tvm'],
    [{ engine: 'onnxruntime', precision: 'bf16' }, '--precision bf16'],
    [{ engine: 'onnxruntime', stable: '5' }, '--stable does not go with --engine onnxruntime'],
    [{ threads: '1', threadsPerInstance: '2' }, '--threads and --threads-per-instance'],
    [{ against: 'other', engine: 'onnxruntime' }, '--against and --engine onnxruntime'],
    [{ against: 'other', processes: true }, '--against compares one instance with one'],
    [{ againstSparse: 'sometimes' }, '--sparse sometimes'],
    [{ embeddings: 'int4' }, '--embeddings int4'],
    [{ tune: 'maybe' }, '--tune maybe'],
    [{ warmup: '-1' }, '--warmup -1'],
    [{ batchSize: '0' }, '--batch-size 0'],
  ])('refuses %j', async (flags, text) => {
    const usual = { seqLen: '8', iterations: '1', latencyBy: 'p99', engine: 'neural-engine' };
    await expect(benchCommand(tiny, 'tiny', { ...usual, ...flags })).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining(text),
    });
  });
});

describe('ONNX Runtime as the rival', () => {
  const usual = { seqLen: '8', iterations: '2', latencyBy: 'p99', engine: 'onnxruntime', threads: '1' };
  const holding = (...names: string[]): string => {
    const path = mkdtempSync(join(folder, 'model-'));
    for (const name of names) copyFileSync(tiny, join(path, name));
    return path;
  };

  it('runs the one ONNX file of a folder, whatever it is called', async () => {
    const { rows } = await benchCommand(holding('qa.onnx'), 'qa', usual);
    expect(rows).toEqual([expect.objectContaining({ runs: 2, ortP50: expect.any(Number), ortMin: expect.any(Number) })]);
  });
  it('refuses an IR before it is loaded', async () => {
    await expect(benchCommand(holding('conf.yaml', 'model.bin'), 'ir', usual)).rejects.toMatchObject({
      code: 'E_USAGE',
      message: 'ONNX Runtime runs .onnx files only',
    });
  });
});

it('says nothing of a model that is not there but that', async () => {
  const { code, out, err } = await inProcess(['bench', join(folder, 'absent.onnx')]);
  expect([code, out, err]).toEqual([66, '', expect.stringMatching(/^error\[E_NOT_FOUND\] load: there is no model at [^\n]*\n$/)]);
});

const procFile = (path: string): string => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
};
/** Processes that run an instance, below another. */
const childrenOf = (pid: number): number[] =>
  procFile(`/proc/${pid}/task/${pid}/children`)
    .split(' ')
    .filter(Boolean)
    .map(Number)
    .filter((child) => procFile(`/proc/${child}/cmdline`).includes('instance-process'));
/** The fields of /proc/PID/stat behind the name, from the state on. */
const statOf = (pid: number): string[] =>
  procFile(`/proc/${pid}/stat`)
    .replace(/^.*\) /, '')
    .split(' ');
const isAlive = (pid: number): boolean => !/^[ZX]?$/.test(statOf(pid)[0]!);
/** User and system time, in clock ticks of 10 ms. */
const cpuSecondsOf = (pid: number): number => (Number(statOf(pid)[11] ?? 0) + Number(statOf(pid)[12] ?? 0)) / 100;
