import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { demoModelPath } from '@neural-engine/demo-model';
import { load } from '@neural-engine/engine';
import { feedsOf } from './encoders';
import { median, minimum } from './race';
import type { Section } from './record';

const timed = async (run: () => unknown): Promise<number> => {
  const started = performance.now();
  await run();
  return performance.now() - started;
};

/** What a run costs beside the kernels: loading, planning, crossing into native code, the event loop, the command's start. */
export async function costSection(baseModel: string): Promise<Section> {
  const cache = mkdtempSync(join(tmpdir(), 'ne-bench-cache-'));
  await load(baseModel, { cache });
  const warmLoad: number[] = [];
  for (let i = 0; i < 7; i++) warmLoad.push(await timed(() => load(baseModel, { cache })));
  const model = await load(demoModelPath(), { cache });
  const session = await model.session({ threads: 1 });
  const plans: number[] = [];
  for (let seqLen = 40; seqLen < 80; seqLen++) plans.push(await timed(() => session.plan(feedsOf({ batch: 1, seqLen, threads: 1 }))));
  const feeds = feedsOf({ batch: 1, seqLen: 128, threads: 1 });
  const overheads: number[] = [];
  for (let i = 0; i < 60; i++) {
    const started = performance.now();
    const { profile } = await session.profile(feeds);
    if (i >= 10) overheads.push((performance.now() - started) * 1000 - profile.wallNs / 1000);
  }
  const long = feedsOf({ batch: 8, seqLen: 384, threads: 1 });
  await session.run(long);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  for (let i = 0; i < 10; i++) await session.run(long);
  delay.disable();
  await session.close();
  const cli = fileURLToPath(new URL('../../cli/bin/ne.js', import.meta.url));
  const help: number[] = [];
  for (let i = 0; i < 7; i++) help.push(await timed(() => spawnSync(process.execPath, [cli, '--help'])));
  rmSync(cache, { recursive: true });
  return {
    title: 'Costs around the kernels',
    rows: [
      {
        what: 'load of a compiled model, warm cache, DistilBERT-base size',
        measured: median(warmLoad),
        unit: 'ms',
        bar: { kind: '<=', value: 30 },
        detail: `min ${minimum(warmLoad).toFixed(1)}`,
      },
      {
        what: 'plan for a further shape, 6 layers (median of 40)',
        measured: median(plans.slice(5)),
        unit: 'ms',
        bar: { kind: '<=', value: 2 },
      },
      { what: "one run call over the program's own time, P50", measured: median(overheads), unit: 'µs', bar: { kind: '<=', value: 50 } },
      {
        what: 'event-loop delay P99 during inference (1 ms monitor)',
        measured: delay.percentile(99) / 1e6,
        unit: 'ms',
        bar: { kind: '<=', value: 5 },
      },
      { what: 'ne --help', measured: median(help), unit: 'ms', bar: { kind: '<=', value: 120 } },
    ],
  };
}
