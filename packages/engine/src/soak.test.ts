import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isa } from '@neural-engine/kernels';
import { writeModel } from '@neural-engine/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encoderModel } from '../../../tooling/models/encoder';
import { load, type Tensor } from './index';

const SHAPE = { family: 'distilbert', layers: 1, hidden: 64, heads: 2, ffn: 64, vocabulary: 100, positions: 64, seed: 3 } as const;
/** How long a process is stopped; 30 by hand. */
const STOPPED_SECONDS = Number(process.env['NE_STOPPED_SECONDS'] ?? 3);
const folder = mkdtempSync(join(tmpdir(), 'ne-soak-'));
const path = join(folder, 'tiny.onnx');
const cache = join(folder, 'cache');
beforeAll(() => writeModel(encoderModel(SHAPE), path));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function feeds(seed: number, length = 8): Record<string, Tensor> {
  const tensor = (element: (i: number) => number): Tensor => ({
    dtype: 's64',
    dims: [1, length],
    data: BigInt64Array.from({ length }, (_, i) => BigInt(element(i))),
  });
  return { input_ids: tensor((i) => (i * 7 + seed * 13) % 100), attention_mask: tensor(() => 1) };
}

interface ChildOptions {
  readonly flags?: readonly string[];
  /** Sent when it says that it is busy. */
  readonly kill?: NodeJS.Signals;
  /** Seconds after which it is continued, where `kill` stops it. */
  readonly stopped?: number;
}

/** Runs code in a process of its own that has `engine`, `feeds` and `options` at hand. */
function child(code: string, { flags = [], kill, stopped }: ChildOptions = {}) {
  const program = `
    import * as engine from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
    const [path, options] = [${JSON.stringify(path)}, { cache: ${JSON.stringify(cache)} }];
    const feeds = (seed, length = 8) => {
      const tensor = (element) => ({ dtype: 's64', dims: [1, length], data: BigInt64Array.from({ length }, (_, i) => BigInt(element(i))) });
      return { input_ids: tensor((i) => (i * 7 + seed * 13) % 100), attention_mask: tensor(() => 1) };
    };
    ${code}`;
  const args = [...flags, '--conditions=source', '--import', 'tsx', '--input-type=module', '-e', program];
  const started = spawn(process.execPath, args, { cwd: fileURLToPath(new URL('..', import.meta.url)) });
  let [out, err, sent] = ['', '', false];
  started.stderr.on('data', (chunk) => {
    err += chunk;
  });
  started.stdout.on('data', (chunk) => {
    out += chunk;
    if (!kill || sent || !out.includes('busy')) return;
    sent = true;
    started.kill(kill);
    if (stopped !== undefined) setTimeout(() => started.kill('SIGCONT'), stopped * 1000);
  });
  return new Promise<{ code: number | null; signal: NodeJS.Signals | null; out: string; err: string }>((resolve) => {
    started.on('close', (status, signal) => resolve({ code: status, signal, out, err }));
  });
}

describe('many runs, sessions and models', () => {
  it('K1: 64 concurrent runs over several sessions each get their own answer, bit-equal to runs one by one', async () => {
    const model = await load(path, { cache });
    const sessions = await Promise.all([1, 2, 1].map((threads) => model.session({ threads })));
    const alone = await model.session({ threads: 1 });
    const inputs = Array.from({ length: 64 }, (_, i) => feeds(i, 1 + (i % 9)));
    const together = await Promise.all(inputs.map((each, i) => sessions[i % 3]!.run(each)));
    for (const [i, each] of inputs.entries()) expect(together[i]).toEqual(await alone.run(each));
    await Promise.all([...sessions, alone].map((session) => session.close()));
  });

  it('K2: closing while runs are queued finishes them; what comes after is E_USAGE; closing twice is fine', async () => {
    const session = await (await load(path, { cache })).session({ threads: 1 });
    const running = Array.from({ length: 20 }, (_, i) => session.run(feeds(i)));
    await Promise.all([session.close(), session.close()]);
    expect((await Promise.allSettled(running)).every(({ status }) => status === 'fulfilled')).toBe(true);
    await expect(session.run(feeds(1))).rejects.toMatchObject({ code: 'E_USAGE' });
  });

  it('L1: 20 000 runs in one process: memory stays within 8 MiB, descriptors and threads as they were', async () => {
    const { code, out, err } = await child(
      `
      import { readdirSync, readFileSync } from 'node:fs';
      const session = await (await engine.load(path, options)).session({ threads: 1 });
      const status = (name) => Number(new RegExp('^' + name + ':\\\\s+(\\\\d+)', 'm').exec(readFileSync('/proc/self/status', 'utf8'))[1]);
      const input = feeds(1);
      const loop = async (count) => {
        for (let i = 0; i < count; i++) await session.run(input);
        gc(); gc();
        return { rss: status('VmRSS') * 1024, threads: status('Threads'), files: readdirSync('/proc/self/fd').length };
      };
      const before = await loop(4_000);
      const after = await loop(20_000);
      console.log(JSON.stringify([after.rss - before.rss < 8 * 2 ** 20, after.threads - before.threads, after.files - before.files]));
      await session.close();`,
      { flags: ['--expose-gc'] },
    );
    expect([code, out], err).toEqual([0, '[true,0,0]\n']);
  });

  it('K3, M6: models loaded and dropped while others run give no wrong answer, over one read-only mapping', async () => {
    const { code, signal, out, err } = await child(`
      import { readFileSync } from 'node:fs';
      const model = await engine.load(path, options);
      const session = await model.session({ threads: 2 });
      const expected = JSON.stringify(await session.run(feeds(5)), (_, value) => (ArrayBuffer.isView(value) ? [...value] : value));
      let wrong = 0;
      const runner = (async () => {
        for (let i = 0; i < 150; i++) {
          const got = JSON.stringify(await session.run(feeds(5)), (_, value) => (ArrayBuffer.isView(value) ? [...value] : value));
          if (got !== expected) wrong++;
        }
      })();
      for (let i = 0; i < 40; i++) {
        const other = await (await engine.load(path, options)).session({ threads: 1 + (i % 2) });
        const abort = new AbortController();
        const runs = [other.run(feeds(i), { signal: abort.signal }), other.run(feeds(i + 1))];
        if (i % 3 === 0) abort.abort();
        await Promise.allSettled(runs);
        if (i % 4) await other.close();
      }
      await runner;
      const maps = readFileSync('/proc/self/maps', 'utf8').split('\\n').filter((line) => line.endsWith('.neweights'));
      console.log(wrong, maps.length > 0, maps.every((line) => /^\\S+ r--s /.test(line)));
      await session.close();`);
    expect([code, signal, out], err).toEqual([0, null, '0 true true\n']);
  });
});

describe('ends at any time', () => {
  const busy = `
    const pool = await (await engine.load(path, options)).pool({ instances: 2, threadsPerInstance: 1, maxQueue: 1000 });
    const call = () => pool.run(feeds(1)).then(call, () => {});
    for (let i = 0; i < 32; i++) void call();
    setTimeout(() => console.log('busy'), 30);`;
  it.each([
    ['process.exit', 'setTimeout(() => process.exit(7), 80);', undefined, 7, null],
    ['an uncaught exception', "setTimeout(() => { throw new Error('uncaught'); }, 80);", undefined, 1, null],
    ['G1 SIGTERM', '', 'SIGTERM', null, 'SIGTERM'],
    ['G2 SIGINT', '', 'SIGINT', null, 'SIGINT'],
    ['G6 SIGHUP', '', 'SIGHUP', null, 'SIGHUP'],
    ['G4 SIGKILL', '', 'SIGKILL', null, 'SIGKILL'],
  ] as const)('K6: by %s, with a busy pool', async (_, ending, kill, code, signal) => {
    const result = await child(`${busy} ${ending}`, kill ? { kill } : {});
    expect(result, result.err).toMatchObject({ code, signal });
  });

  it('drains on a signal: what was accepted is answered, then the process ends by itself with 0', async () => {
    const { code, out, err } = await child(
      `
      const pool = await (await engine.load(path, options)).pool({ instances: 1, threadsPerInstance: 1, maxQueue: 1000 });
      let [answered, refused] = [0, 0];
      const accepted = Array.from({ length: 200 }, (_, i) => pool.run(feeds(i)).then(() => answered++));
      process.once('SIGTERM', async () => {
        const closing = pool.close();
        await pool.run(feeds(1)).catch((error) => { if (error.code === 'E_DRAINING') refused++; });
        await closing;
        await Promise.all(accepted);
        console.log(answered, refused);
      });
      console.log('busy');
      await new Promise((resolve) => setTimeout(resolve, 100));`,
      { kill: 'SIGTERM' },
    );
    expect([code, out], err).toEqual([0, 'busy\n200 1\n']);
  });

  it(
    `G6: a busy pool that is stopped for ${STOPPED_SECONDS} s and continued ends what is overdue, and answers as before`,
    async () => {
      const { code, out, err } = await child(
        `
      const pool = await (await engine.load(path, options)).pool({ instances: 2, threadsPerInstance: 1, maxQueue: 1000, timeoutMs: 500 });
      const text = (outputs) => JSON.stringify(outputs, (_, value) => (ArrayBuffer.isView(value) ? [...value] : value));
      const expected = text(await pool.run(feeds(1)));
      let [answered, wrong, expired, ended] = [0, 0, 0, false];
      const caller = async () => {
        while (!ended) {
          await pool.run(feeds(1)).then(
            (outputs) => {
              answered++;
              if (text(outputs) !== expected) wrong++;
            },
            ({ code }) => { if (code === 'E_DEADLINE') expired++; else wrong++; },
          );
        }
      };
      const callers = Array.from({ length: 32 }, caller);
      setTimeout(() => console.log('busy'), 50);
      process.once('SIGCONT', () => { answered = 0; setTimeout(() => { ended = true; }, 300); });
      await Promise.all(callers);
      console.log(wrong, expired > 0, answered > 0);
      await pool.close();`,
        { kill: 'SIGSTOP', stopped: STOPPED_SECONDS },
      );
      expect([code, out], err).toEqual([0, 'busy\n0 true true\n']);
    },
    (STOPPED_SECONDS + 60) * 1000,
  );

  it('M7: a process killed while it holds the packed file leaves nothing behind but the cache', async () => {
    await child(busy, { kill: 'SIGKILL' });
    const session = await (await load(path, { cache })).session({ threads: 1 });
    await session.run(feeds(1));
    await session.close();
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(cache);
  });
});

it('K10: more threads than CPUs, or one CPU, only run slower', async () => {
  const model = await load(path, { cache });
  for (const threads of [1, isa().allowedCpus.length * 4]) {
    const session = await model.session({ threads });
    expect((await session.run(feeds(2)))['start_logits']!.dims).toEqual([1, 8]);
    await session.close();
  }
});
