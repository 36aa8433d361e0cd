// A million runs of a tiny model in one process; resident memory must stay within 8 MiB of what it was after a tenth of them.
// Usage: node tooling/soak.mjs [RUNS]      Ends with 1 when it grew.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
if (!process.execArgv.includes('--expose-gc')) {
  const flags = ['--expose-gc', '--conditions=source', '--import', 'tsx'];
  const { status } = spawnSync(process.execPath, [...flags, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
  });
  process.exit(status ?? 1);
}

const { readFileSync, readdirSync } = await import('node:fs');
const { load } = await import('@neural-engine/engine');
const { encoderModel } = await import('./models/encoder.ts');

const runs = Number(process.argv[2] ?? 1_000_000);
if (!Number.isInteger(runs) || runs < 100) throw new Error(`${process.argv[2]}: expected a number of runs, at least 100`);
const model = encoderModel({ family: 'distilbert', layers: 1, hidden: 64, heads: 2, ffn: 64, vocabulary: 100, positions: 64, seed: 3 });
const session = await (await load(model)).session({ threads: 1 });
const tensor = (element) => ({ dtype: 's64', dims: [1, 4], data: BigInt64Array.from({ length: 4 }, (_, i) => BigInt(element(i))) });
const feeds = { input_ids: tensor((i) => i), attention_mask: tensor(() => 1) };

const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))[1]);
const measure = () => {
  globalThis.gc();
  globalThis.gc();
  return { rss: field('VmRSS') * 1024, threads: field('Threads'), files: readdirSync('/proc/self/fd').length };
};

const tenth = Math.ceil(runs / 10);
let first;
const started = performance.now();
for (let done = 0; done < runs; done += tenth) {
  for (let i = 0; i < Math.min(tenth, runs - done); i++) await session.run(feeds);
  const now = measure();
  first ??= now;
  const grown = (now.rss - first.rss) / 2 ** 20;
  console.log(
    `${Math.min(done + tenth, runs)} runs, ${((performance.now() - started) / 1000).toFixed(0)} s: ${(now.rss / 2 ** 20).toFixed(1)} MiB resident (${grown >= 0 ? '+' : ''}${grown.toFixed(1)}), ${now.threads} threads, ${now.files} files`,
  );
}
const last = measure();
await session.close();
const ok = last.rss - first.rss <= 8 * 2 ** 20 && last.threads === first.threads && last.files === first.files;
console.log(ok ? 'flat' : 'it grew');
process.exit(ok ? 0 : 1);
