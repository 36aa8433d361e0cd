// Prints the resident memory of this process at each stage of using the built engine: base, imported, loaded, first session, and what
// each further one adds. Run as: node --expose-gc memory-child.mjs MODEL CACHE
import { readFileSync } from 'node:fs';

const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
const resident = async () => {
  globalThis.gc();
  await new Promise((resolve) => setTimeout(resolve, 50));
  return field('VmRSS');
};

const [model, cache] = process.argv.slice(2);
const base = await resident();
const { load } = await import('@neural-engine/engine');
const imported = await resident();
const loadedModel = await load(model, { embeddings: 'int8', cache });
const loaded = await resident();
const dims = [1, 128];
const feeds = {
  input_ids: { dtype: 's64', dims, data: BigInt64Array.from({ length: 128 }, (_, i) => BigInt((i * 7919) % 1000)) },
  attention_mask: { dtype: 's64', dims, data: new BigInt64Array(128).fill(1n) },
};
const sessions = [];
const add = async () => {
  const session = await loadedModel.session({ threads: 1 });
  await session.run(feeds);
  sessions.push(session);
};
await add();
const first = await resident();
const mapped = field('RssFile');
for (let i = 0; i < 7; i++) await add();
const further = ((await resident()) - first) / 7;
process.stdout.write(JSON.stringify({ base, imported, loaded, first, further, mapped }));
await Promise.all(sessions.map((session) => session.close()));
