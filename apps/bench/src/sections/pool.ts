import { load, type Pool } from '@neural-engine/engine';
import type { Context, SectionSpec } from '../context';
import { tokenFeeds } from '../feeds';
import { atMost, barOf } from '../goals';
import { openLoop } from '../open-loop';
import type { Section } from '../record';

const p99 = (ascending: readonly number[]): number =>
  ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * 0.99))] ?? Number.NaN;

/** Mulberry32, so that every benchmark sends the same requests. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Answers a second with as many callers as the queue and the instances hold, each asking again when it has its answer. */
async function capacityOf(pool: Pool, seconds: number, callers: number): Promise<number> {
  const feeds = tokenFeeds({ batch: 1, seqLen: 64 });
  const [before, started] = [pool.statistics.answered, performance.now()];
  const caller = async (): Promise<void> => {
    while (performance.now() < started + seconds * 1000) await pool.run(feeds);
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return ((pool.statistics.answered - before) * 1000) / (performance.now() - started);
}

async function overload({ quick, models, step }: Context): Promise<Section[]> {
  const model = await load(await models.demoInt8(), { cache: models.cache });
  const pool = await model.pool({ instances: 1, threadsPerInstance: 1, maxBatch: 4, maxQueue: 16 });
  const feeds = tokenFeeds({ batch: 1, seqLen: 64 });
  const seconds = quick ? 4 : 20;
  step('capacity of a pool');
  await capacityOf(pool, 1, 8);
  const capacity = await capacityOf(pool, seconds / 2, 16);
  step('at 0.8 of it');
  const calm = await openLoop(pool, feeds, capacity * 0.8, seconds, random(1));
  step('at three times its capacity');
  const flood = await openLoop(pool, feeds, capacity * 3, seconds, random(2));
  await pool.close();
  const usual = p99(calm.latenciesMs);
  return [
    {
      title: 'A pool at three times its capacity: embedded model, int8, 64 tokens, one core',
      note: `Open loop: requests do not wait for answers. Capacity ${capacity.toFixed(0)} a second with 16 callers; queue of 16, batches up to 4.`,
      rows: [
        { what: 'accepted throughput over capacity', measured: flood.throughput / capacity, unit: '×', ...barOf('pool throughput') },
        {
          what: 'P99 of the accepted over P99 at 0.8 load',
          measured: p99(flood.latenciesMs) / usual,
          unit: '×',
          bar: atMost(5),
          detail: `${p99(flood.latenciesMs).toFixed(1)} ms against ${usual.toFixed(1)}`,
        },
        {
          what: 'P99 of refusals',
          measured: p99(flood.refusalsMs),
          unit: 'ms',
          bar: atMost(20),
          detail: `${flood.refusalsMs.length} of ${flood.refusalsMs.length + flood.latenciesMs.length} refused`,
        },
      ],
    },
  ];
}

export const poolSection: SectionSpec = {
  name: 'pool',
  about: 'a pool at 0.8 of its capacity and at three times it',
  runs: [{ pinned: false, run: overload }],
};
