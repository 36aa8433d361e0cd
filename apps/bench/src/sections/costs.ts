import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { demoModelPath } from '@neural-engine/demo-model';
import { load } from '@neural-engine/engine';
import type { Context, SectionSpec } from '../context';
import { tokenFeeds } from '../feeds';
import { atMost } from '../goals';
import { installedSize } from '../installed-size';
import { median, minimum, timed } from '../race';
import type { Row, Section } from '../record';
import { wakeUp } from '../wake-up';

/** What a run costs beside the kernels: loading, planning, crossing into native code, the event loop. */
async function costs({ quick, models, step }: Context): Promise<Section[]> {
  const rows: Row[] = [];
  for (const [name, path, how] of [
    ['fp32', await models.baseOnnx(), {}],
    ['int8', await models.baseInt8(), { embeddings: 'int8' }],
  ] as const) {
    step(`load, ${name}`);
    const cold = await timed(() => load(path, { ...how, cache: models.cache }))();
    const warm: number[] = [];
    for (let i = 0; i < (quick ? 7 : 21); i++) warm.push(await timed(() => load(path, { ...how, cache: models.cache }))());
    rows.push({
      what: `load of DistilBERT-base ${name}, packed file present`,
      measured: median(warm),
      unit: 'ms',
      bar: atMost(30),
      detail: `at best ${minimum(warm).toFixed(1)}; ${cold > 4 * median(warm) ? `${cold.toFixed(0)} the first time` : 'packed before'}`,
    });
  }
  step('packed file, plans, overhead');
  const { packedFile } = await load(await models.baseInt8(), { embeddings: 'int8', cache: models.cache });
  rows.push({
    what: 'packed file of DistilBERT-base int8, 80% zeros, int8 embeddings',
    measured: statSync(packedFile!).size / 1e6,
    unit: 'MB',
    bar: atMost(45),
  });
  const session = await (await load(demoModelPath(), { cache: models.cache })).session({ threads: 1 });
  const plans: number[] = [];
  for (let seqLen = 40; seqLen < 80; seqLen++) plans.push(await timed(() => session.plan(tokenFeeds({ batch: 1, seqLen })))());
  rows.push({ what: 'plan for a further shape, 6 layers (median of 35)', measured: median(plans.slice(5)), unit: 'ms', bar: atMost(2) });

  // Few tokens, so that the time of the program itself, which is subtracted, is small and steady; profiles are taken between the runs.
  const feeds = tokenFeeds({ batch: 1, seqLen: 8 });
  const overheads: number[] = [];
  // As many before as a service has behind it after seconds: JavaScript that is compiled by then takes a third of the time.
  for (let i = 0; i < (quick ? 1500 : 3000); i++) await session.run(feeds);
  for (let i = 0; i < 300; i++) {
    const { profile } = await session.profile(feeds);
    const wall = await timed(() => session.run(feeds))();
    overheads.push(wall * 1000 - profile.wallNs / 1000);
  }
  const wake = await wakeUp();
  rows.push({
    what: "one run call over the program's own time, P50",
    measured: median(overheads),
    unit: 'µs',
    bar: atMost(50),
    detail: `of which the wake-up of one sleeping thread, without anything of ours, is ${wake.toFixed(0)} on this machine`,
  });

  step('event loop');
  const long = tokenFeeds({ batch: 8, seqLen: 384 });
  await session.run(long);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  for (let i = 0; i < (quick ? 6 : 20); i++) await session.run(long);
  delay.disable();
  await session.close();
  rows.push({
    what: 'event-loop delay P99 during inference (1 ms monitor)',
    measured: delay.percentile(99) / 1e6,
    unit: 'ms',
    bar: atMost(5),
  });

  step('ne --help');
  const cli = fileURLToPath(new URL('../../../cli/bin/ne.js', import.meta.url));
  const built = existsSync(fileURLToPath(new URL('../../../cli/dist/main.js', import.meta.url)));
  const help: number[] = [];
  if (built) for (let i = 0; i < 9; i++) help.push(await timed(() => spawnSync(process.execPath, [cli, '--help']))());
  rows.push({
    what: 'ne --help',
    measured: built ? median(help) : null,
    unit: 'ms',
    bar: atMost(120),
    ...(built ? {} : { detail: 'the command is not built' }),
  });
  const size = installedSize();
  rows.push({
    what: 'installed size of engine and kernels, one platform',
    measured: size === undefined ? null : size / 1e6,
    unit: 'MB',
    bar: atMost(15),
    ...(size === undefined ? { detail: 'the packages are not built' } : {}),
  });
  return [{ title: 'Costs around the kernels', rows }];
}

export const costsSection: SectionSpec = {
  name: 'costs',
  about: 'load, plan, call, event loop, start of the command, sizes',
  runs: [{ pinned: false, run: costs }],
};
