import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { load, placeInstances } from '@neural-engine/engine';
import type { Context, SectionSpec } from '../context';
import { tokenFeeds } from '../feeds';
import { atMost, barOf } from '../goals';
import { median } from '../race';
import type { Section } from '../record';

const SHAPE = { batch: 1, seqLen: 128 };
const bin = (name: string): string => fileURLToPath(new URL(`../../../cli/bin/${name}.js`, import.meta.url));
const built = fileURLToPath(new URL('../../../cli/dist/main.js', import.meta.url));

/** Two instances of one core against one, taken in turn, each on its own core. */
async function scaling({ quick, models, step }: Context): Promise<Section[]> {
  step('two instances against one');
  const what = '2 instances × 1 core against 1 × 1';
  const title = 'Instances: DistilBERT-base shape, 80% zeros, int8, batch 1, 128 tokens';
  const placements = placeInstances({ instances: 2, threadsPerInstance: 1 });
  if (new Set(placements.flatMap(({ cores }) => cores)).size < 2)
    return [{ title, rows: [{ what, measured: null, unit: '×', detail: 'there is one CPU only', ...barOf('two instances') }] }];
  const model = await load(await models.baseInt8(), { cache: models.cache });
  const [first, second] = await Promise.all(placements.map(({ threads, cores }) => model.session({ threads, cores })));
  const feeds = tokenFeeds(SHAPE);
  const several = async (run: () => Promise<unknown>): Promise<void> => {
    for (let i = 0; i < 8; i++) await run();
  };
  const clock = async (work: () => Promise<unknown>): Promise<number> => {
    const started = performance.now();
    await work();
    return performance.now() - started;
  };
  const [one, both] = [
    () => several(() => first!.run(feeds)),
    () => Promise.all([first!, second!].map((each) => several(() => each.run(feeds)))),
  ];
  await both();
  const ratios: number[] = [];
  for (let round = 0; round < (quick ? 7 : 25); round++) {
    const [a, b] = [await clock(one), await clock(both)];
    ratios.push((2 * a) / b);
  }
  await Promise.all([first!.close(), second!.close()]);
  return [
    {
      title,
      rows: [
        {
          what,
          measured: median(ratios),
          unit: '× throughput',
          detail: `${ratios.length} rounds of 8 runs, in turn`,
          ...barOf('two instances'),
        },
      ],
    },
  ];
}

/** Resident memory of four processes that map one packed file, against one; needs the built command. */
async function processes({ models, step }: Context): Promise<Section[]> {
  step('four processes');
  const model = await models.baseInt8();
  const title = 'Processes over one copy of the weights';
  const what = 'PSS of 4 processes over 1.25 × one + 4 arenas';
  if (!existsSync(built) || process.platform !== 'linux')
    return [{ title, rows: [{ what, measured: null, unit: '×', detail: 'the command is not built, or there is no /proc' }] }];
  const memory = (count: number): { rss: number; pss: number; uss: number } => {
    const args = ['bench', model, '--processes', '--instances', String(count), '--threads', '1', '--iterations', '20', '--json'];
    const { stdout, stderr, status } = spawnSync(process.execPath, [bin('ne'), ...args], {
      encoding: 'utf8',
      env: { ...process.env, NE_CACHE_DIR: models.cache },
    });
    if (status !== 0) throw new Error(`ne bench failed: ${stderr}`);
    return JSON.parse(stdout).rows[0];
  };
  const [one, four] = [memory(1), memory(4)];
  const loaded = await load(model, { cache: models.cache });
  const session = await loaded.session({ threads: 1 });
  const { source } = session.plan(tokenFeeds(SHAPE));
  await session.close();
  const { arena_bytes, scratch_bytes } = source as { arena_bytes: number; scratch_bytes: number };
  const allowed = (single: number): number => 1.25 * single + 4 * (arena_bytes + scratch_bytes);
  // What they share counts once, whatever else maps Node's binary: the processes that measure do.
  const alone = four.uss + (four.rss - four.uss) / 4;
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  return [
    {
      title,
      note: "Each process holds a Node of its own, which is most of it. PSS also divides Node's binary by the processes that measure, which makes one look small.",
      rows: [
        {
          what,
          measured: four.pss / allowed(one.pss),
          unit: '×',
          bar: atMost(1),
          detail: `4: ${mb(four.pss)}, 1: ${mb(one.pss)}, an arena: ${mb(arena_bytes + scratch_bytes)}; private to each: ${mb(four.uss / 4)}; alone on a machine: ${(alone / allowed(one.rss)).toFixed(2)} ×`,
        },
      ],
    },
  ];
}

/** The original's binary against `ne bench` on the same files: ten pairs, in turn. */
async function nativeCommand({ models, step }: Context): Promise<Section[]> {
  step('neural_engine against ne bench');
  const ir = await models.baseInt8();
  const title = '`neural_engine` against `ne bench`, the same IR';
  const what = 'median ratio of 10 pairs, distance from 1';
  if (!existsSync(built)) return [{ title, rows: [{ what, measured: null, unit: '%', detail: 'the command is not built' }] }];
  const env = { ...process.env, NE_CACHE_DIR: models.cache, OMP_NUM_THREADS: '1' };
  const call = (name: string, args: string[]): string =>
    spawnSync(process.execPath, [bin(name), ...args], { encoding: 'utf8', env }).stdout;
  const ratios = Array.from({ length: 10 }, () => {
    const theirs = call('neural_engine', [
      `--config=${join(ir, 'conf.yaml')}`,
      `--weight=${join(ir, 'model.bin')}`,
      '--batch_size=1',
      '--seq_len=128',
      '--iterations=60',
      '--w=10',
    ]);
    const ours = call('ne', ['bench', ir, '-b', '1', '-s', '128', '-i', '50', '-w', '10', '-t', '1', '--json']);
    return Number(/Latency is ([\d.]+)/.exec(theirs)?.[1]) / (JSON.parse(ours) as { rows: { mean: number }[] }).rows[0]!.mean;
  });
  return [
    {
      title,
      rows: [
        {
          what,
          measured: Math.abs(median(ratios) - 1) * 100,
          unit: '%',
          bar: atMost(5),
          detail: `ratios ${ratios.map((ratio) => ratio.toFixed(3)).join(', ')}`,
        },
      ],
    },
  ];
}

export const instancesSection: SectionSpec = {
  name: 'instances',
  about: 'two instances over one; memory of four processes; the native command over the benchmark',
  runs: [scaling, processes, nativeCommand].map((run) => ({ pinned: false, run })),
};
