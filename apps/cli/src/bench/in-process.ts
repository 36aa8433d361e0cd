import type { LoadedModel, Placement } from '@neural-engine/engine';
import { type BenchFeeds, type InstanceTimes, keepBusy, type Load, measureInstance, warmUp } from './instance';

/** Measures instances side by side in this process: they begin together, and none stops before all have their runs. */
export async function measureInProcess(
  model: LoadedModel,
  placements: readonly Placement[],
  feeds: BenchFeeds,
  load: Omit<Load, 'run'>,
): Promise<InstanceTimes[]> {
  const sessions = await Promise.all(
    placements.map(({ threads, cores, node }) => model.session({ threads, cores, ...(node === undefined ? {} : { node }) })),
  );
  try {
    const loads = sessions.map((session): Load => ({ ...load, run: () => session.run(feeds) }));
    await Promise.all(loads.map(warmUp));
    const done = new AbortController();
    let left = loads.length;
    return await Promise.all(
      loads.map(async (each) => {
        const times = await measureInstance(each);
        if (--left === 0) done.abort();
        await keepBusy(each.run, done.signal);
        return times;
      }),
    );
  } finally {
    await Promise.all(sessions.map((session) => session.close()));
  }
}
