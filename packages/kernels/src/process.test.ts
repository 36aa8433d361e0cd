import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

/** Runs code in a process of its own, which has `ne` (this package) and `t` (its test programs) at hand. */
function child(code: string, env: NodeJS.ProcessEnv = {}, prefix: string[] = [], flags: string[] = []): SpawnSyncReturns<string> {
  const url = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href);
  const script = `
    import * as ne from ${url('./index.ts')};
    import * as t from ${url('./testing.ts')};
    const W = t.linearWeights(256, 256);
    const make = (rows, repeat) => {
      const spec = t.linearProgram(rows, 256, 256);
      const [first, product, last] = spec.regions;
      return new ne.Program({ ...spec, regions: [first, ...Array(repeat).fill(product), last] }, ne.packWeights(W.specs));
    };
    const run = (session, program, rows) => session.run(program, [new Float32Array(rows * 256)], [new Float32Array(rows * 256)]);
    ${code}`;
  const args = [...prefix, process.execPath, ...flags, '--conditions=source', '--import', 'tsx', '--input-type=module', '-e', script];
  return spawnSync(args[0]!, args.slice(1), {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, ...env },
    cwd: fileURLToPath(new URL('..', import.meta.url)),
  });
}

it('K6: keeps the exit code when the process ends with runs in flight', () => {
  const busy =
    'const s = new ne.NativeSession({ threads: 2 }); const p = make(20_000, 2_000); for (let i = 0; i < 3; i++) run(s, p, 20_000).catch(() => {});';
  for (const [end, status] of [
    ['setTimeout(() => process.exit(7), 50);', 7],
    ['process.exit(3);', 3],
    ["setTimeout(() => { throw new Error('uncaught') }, 50);", 1],
  ] as const) {
    const begun = Date.now();
    const { status: got, signal, stderr } = child(`${busy} ${end}`);
    expect([got, signal], stderr).toEqual([status, null]);
    expect(Date.now() - begun).toBeLessThan(30_000); // the runs alone would take minutes
  }
});

it('lets the process end by itself: after the runs, without close, and with idle sessions around', () => {
  const { status, stdout, stderr } = child(`
    const s = new ne.NativeSession({ threads: 2 });
    new ne.NativeSession({ threads: 2 });
    run(s, make(200, 3), 200).then(() => console.log('ran'));`);
  expect([status, stdout], stderr).toEqual([0, 'ran\n']);
});

it('K4, K5: works in the main thread and eight workers, and survives workers that are terminated in flight', () => {
  const worker = `
    import { workerData, parentPort } from 'node:worker_threads';
    const { ne, t, tsx, busy } = workerData;
    (await import(tsx)).register();
    const { NativeSession, Program, packWeights } = await import(ne);
    const { linearProgram, linearWeights } = await import(t);
    const rows = busy ? 20_000 : 100;
    const spec = linearProgram(rows, 64, 64);
    const [first, product, last] = spec.regions;
    const regions = busy ? [first, ...Array(5_000).fill(product), last] : spec.regions;
    const program = new Program({ ...spec, regions }, packWeights(linearWeights(64, 64).specs));
    const session = new NativeSession({ threads: 2 });
    const y = new Float32Array(rows * 64);
    const done = session.run(program, [new Float32Array(rows * 64).fill(1)], [y]);
    if (busy) parentPort.postMessage('busy');
    await done;
    await session.close();
    parentPort.postMessage(y[1]);`;
  const { status, signal, stdout, stderr } = child(`
    import { Worker } from 'node:worker_threads';
    const tsx = import.meta.resolve('tsx/esm/api');
    const data = { tsx, ne: ${JSON.stringify(new URL('./index.ts', import.meta.url).href)}, t: ${JSON.stringify(new URL('./testing.ts', import.meta.url).href)} };
    const start = (busy) => new Worker(new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(worker)})), { workerData: { ...data, busy }, execArgv: ['--conditions=source'] });
    const answers = await Promise.all(Array.from({ length: 8 }, () => new Promise((resolve, reject) => start(false).on('message', resolve).on('error', reject))));
    for (let i = 0; i < 8; i++) {
      const busy = start(true);
      await new Promise((resolve, reject) => busy.on('message', resolve).on('error', reject));
      await busy.terminate();
    }
    const s = new ne.NativeSession({ threads: 2 });
    await run(s, make(200, 1), 200);
    await s.close();
    console.log(new Set(answers).size, answers.length);`);
  expect([status, signal, stdout], stderr).toEqual([0, null, '1 8\n']);
});

it('L2: lets sessions be collected, closed or forgotten, and does not grow with runs', () => {
  const { status, stdout, stderr } = child(
    `
    const program = make(8, 1);
    const refs = [];
    for (let i = 0; i < 40; i++) {
      const s = new ne.NativeSession({ threads: 2 });
      await run(s, program, 8);
      if (i % 2) await s.close();
      refs.push(new WeakRef(s.handle));
    }
    for (let i = 0; i < 5; i++) { await new Promise((resolve) => setTimeout(resolve, 20)); gc(); }
    console.log(refs.filter((ref) => ref.deref()).length <= 2);
    const s = new ne.NativeSession({ threads: 2 });
    const [x, y] = [new Float32Array(8 * 256), new Float32Array(8 * 256)];
    const loop = async (count) => { for (let i = 0; i < count; i++) await s.run(program, [x], [y]); gc(); return process.memoryUsage().rss; };
    const before = await loop(3_000);
    console.log((await loop(20_000)) - before < 12 * 2 ** 20);
    await s.close();`,
    {},
    [],
    ['--expose-gc'],
  );
  expect([status, stdout], stderr).toEqual([0, 'true\ntrue\n']);
});

it('K11: turns panics in calls and in pool threads into E_INTERNAL, and the next run is right', () => {
  const { status, signal, stdout, stderr } = child(
    `
    const program = make(300, 2);
    const s = new ne.NativeSession({ threads: 2 });
    const note = async (what) => { try { await what(); console.log('ok'); } catch (error) { console.log(error.code, /planted/.test(error.message)); } };
    await note(() => program.native.plantPanic(-1));
    for (const thread of [0, 1]) {
      await note(async () => { program.native.plantPanic(thread); await run(s, program, 300); });
      await note(() => run(s, program, 300));
    }
    await s.close();`,
    { NE_NATIVE_TESTS: '1' },
  );
  expect([status, signal], stderr).toEqual([0, null]);
  expect(stdout).toBe('E_INTERNAL true\nE_INTERNAL true\nok\nE_INTERNAL true\nok\n');
  expect(child('try { make(1, 1).native.plantPanic(-1) } catch (error) { console.log(error.code) }').stdout).toBe('E_USAGE\n');
});

it('K10: runs on one CPU, with the number of threads it is told', () => {
  const code = 'const s = new ne.NativeSession({ threads: 64 }); await run(s, make(300, 2), 300); console.log(s.threads); await s.close();';
  const one = child(`console.log(ne.isa().defaultThreads, ne.isa().allowedCpus.length); ${code}`, {}, ['taskset', '-c', '0']);
  expect([one.status, one.stdout], one.stderr).toEqual([0, '1 1\n64\n']);
  expect(child('console.log(new ne.NativeSession().threads)', { NE_NUM_THREADS: '3' }).stdout).toBe('3\n');
});

it('K10, S8: runs with fewer threads, and fails with E_LIMIT only, where memory is short', () => {
  const { status, stdout, stderr } = child(`
    import { execFileSync } from 'node:child_process';
    import { readFileSync } from 'node:fs';
    const program = make(100, 1);
    const hungry = new ne.Program({ ...t.linearProgram(8, 256, 256), arena_bytes: 4 * 2 ** 30 }, ne.packWeights(W.specs));
    const size = Number(/VmSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
    execFileSync('prlimit', ['--pid=' + process.pid, '--as=' + (size + 150 * 2 ** 20)]);
    const s = new ne.NativeSession({ threads: 1000 });
    console.log(s.threads > 0 && s.threads < 1000);
    await run(s, program, 100);
    await run(s, hungry, 8).catch((error) => console.log(error.code));
    await run(s, program, 100);
    await s.close();
    console.log('done');`);
  expect([status, stdout], stderr).toEqual([0, 'true\nE_LIMIT\ndone\n']);
});

it('I5: caps the tier at NE_MAX_CPU_ISA, with the same integer results on every tier', () => {
  const code = `
    const weight = Int8Array.from({ length: 64 * 100 }, (_, i) => (i % 3 ? 0 : (i * 37) % 256 - 128));
    const x = Uint8Array.from({ length: 100 * 70 }, (_, i) => (i * 91) % 256);
    const y = ne.spmm(ne.packSparse(weight, { block: '4x1', m: 64, k: 100 }), x, { n: 70, out: 's32' });
    const z = ne.gemm(ne.packDense(weight, { m: 64, k: 100 }), x, { n: 70, out: 'f32', scale: 0.1 });
    console.log(ne.isa().tier, y.reduce((h, v) => (h * 31 + v) | 0, 7), new Int32Array(z.buffer).reduce((h, v) => (h * 31 + v) | 0, 7));`;
  const { tiers } = JSON.parse(child('console.log(JSON.stringify(ne.isa()))').stdout) as { tiers: string[] };
  const results = tiers.map((tier) => child(code, { NE_MAX_CPU_ISA: tier }).stdout.trim().split(' '));
  expect(results.map(([tier]) => tier)).toEqual(tiers);
  expect(new Set(results.map(([, ...hashes]) => hashes.join())).size).toBe(1);
});
