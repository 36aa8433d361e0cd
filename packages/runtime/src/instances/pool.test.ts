import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Model } from '../model';
import { chain, feedsOf } from './__fixtures__/model';
import { Pool } from './pool';

let model: Model;
/** A run of `slow` on `long` feeds takes some milliseconds. */
let slow: Model;
const long = feedsOf(1, 4096);
const open: Pool[] = [];
const pool = async (options: Parameters<typeof Pool.open>[1], of = model): Promise<Pool> => {
  const made = await Pool.open(of, options);
  open.push(made);
  return made;
};

beforeAll(async () => {
  model = await chain(2);
  slow = await chain(60);
});
afterAll(() => Promise.all(open.map((each) => each.close())));

describe('Pool', () => {
  it('K1: 64 concurrent requests each get their own answer, bit-equal to a run alone', async () => {
    const session = await model.session({ threads: 1 });
    const many = await pool({ instances: 2, threadsPerInstance: 1 });
    const feeds = Array.from({ length: 64 }, (_, i) => feedsOf(1 + (i % 3), 1 + (i % 4), i));
    const answers = await Promise.all(feeds.map((each) => many.run(each)));
    for (const [i, each] of feeds.entries()) expect(answers[i]).toEqual(await session.run(each));
    const { answered, batches, queued, running } = many.statistics;
    expect([answered, queued, running]).toEqual([64, 0, 0]);
    expect(batches).toBeLessThan(64); // some were joined
    await session.close();
  });

  it('joins only requests of one shape, up to maxBatch sequences, and waits for them no longer than it is told', async () => {
    const one = await pool({ instances: 1, threadsPerInstance: 1, maxBatch: 4, maxDelayMs: 30 });
    await Promise.all([...Array.from({ length: 8 }, (_, i) => one.run(feedsOf(1, 3, i))), one.run(feedsOf(1, 5)), one.run(feedsOf(3, 5))]);
    expect(one.statistics).toMatchObject({ answered: 10, batches: 3 });
    const begun = performance.now();
    await one.run(feedsOf(1, 3));
    expect(performance.now() - begun).toBeGreaterThan(20);
  });

  it('refuses with E_OVERLOAD what does not fit the queue, at once, and serves again afterwards', async () => {
    const small = await pool({ instances: 1, threadsPerInstance: 1, maxQueue: 2, maxBatch: 1 }, slow);
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => small.run(long)));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused).toHaveLength(7); // one runs, two wait
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'E_OVERLOAD', message: expect.stringContaining('2 requests') });
    expect(small.statistics).toMatchObject({ answered: 3, refused: 7 });
    await small.run(feedsOf(1, 1));
    const bytes = await pool({ instances: 1, threadsPerInstance: 1, maxQueueBytes: 1000 }, slow);
    const [first, second] = await Promise.allSettled([bytes.run(long), bytes.run(long)]);
    expect([first.status, second.status]).toEqual(['fulfilled', 'rejected']);
  });

  it('ends requests at their deadline or signal wherever they are, without running those that still waited', async () => {
    const one = await pool({ instances: 1, threadsPerInstance: 1, maxBatch: 1, timeoutMs: 60_000 }, slow);
    // Long enough for the deadline to pass while it runs.
    const first = one.run(feedsOf(32, 4096));
    const late = one.run(long, { timeoutMs: 0 });
    const abort = new AbortController();
    const outcomes = Promise.allSettled([late, one.run(long, { signal: abort.signal })]);
    abort.abort(new Error('not wanted'));
    const [expired, dropped] = await outcomes;
    expect(expired).toMatchObject({ status: 'rejected', reason: { code: 'E_DEADLINE' } });
    expect(dropped).toMatchObject({ status: 'rejected', reason: { code: 'E_ABORTED', cause: abort.signal.reason } });
    await first;
    expect(one.statistics).toMatchObject({ answered: 1, expired: 1, aborted: 1, batches: 1, queued: 0 });
    // A batch that nobody waits for is aborted while it runs.
    const running = new AbortController();
    const begun = performance.now();
    const huge = one.run(feedsOf(64, 4096), { signal: running.signal });
    setTimeout(() => running.abort(), 5);
    await expect(huge).rejects.toMatchObject({ code: 'E_ABORTED' });
    await one.run(feedsOf(1, 1));
    expect(performance.now() - begun).toBeLessThan(5_000);
    await expect(one.run(long, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'E_ABORTED' });
  });

  it('gives no answer after the deadline, nor computes one, where the thread was held up and hears of both together', async () => {
    const one = await pool({ instances: 1, threadsPerInstance: 1, maxBatch: 1 }, slow);
    await one.run(long);
    // On a busy machine the thread may be held up too late: the first has its answer by then. That is no answer too late; once more.
    for (let attempt = 0, heldUp = false; !heldUp && attempt < 20; attempt++) {
      const before = { ...one.statistics };
      const [running, waiting] = [0, 1].map(() => one.run(long, { timeoutMs: 50 }));
      let answered = false;
      running!.then(
        () => (answered = true),
        () => undefined,
      );
      // Within a timer, so that the loop polls for ended runs before it looks at timers again.
      setTimeout(() => {
        heldUp = !answered;
        const until = performance.now() + 200;
        while (performance.now() < until);
      }, 0);
      const outcomes = await Promise.allSettled([running, waiting]);
      if (!heldUp) continue;
      expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code)).toEqual(['E_DEADLINE', 'E_DEADLINE']);
      expect(one.statistics).toMatchObject({ answered: before.answered, expired: before.expired + 2, queued: 0 });
      // The one that waited was never begun; on a busy machine the other may not have been either.
      expect(one.statistics.batches).toBeLessThanOrEqual(before.batches + 1);
    }
    expect(one.statistics.expired).toBeGreaterThanOrEqual(2);
    await one.run(feedsOf(1, 1));
  });

  it('waits as long as it is told where that is longer than a timer can, and refuses times that are none', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => void warnings.push(warning);
    process.on('warning', onWarning);
    const one = await pool(
      { instances: 1, threadsPerInstance: 1, timeoutMs: 2 ** 31, maxDelayMs: Number.POSITIVE_INFINITY, maxBatch: 2 },
      slow,
    );
    const first = one.run(long, { timeoutMs: Number.POSITIVE_INFINITY });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(one.statistics).toMatchObject({ queued: 1, expired: 0 }); // it still waits for another to join it
    await Promise.all([first, one.run(long)]);
    expect(one.statistics).toMatchObject({ answered: 2, batches: 1 });
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
    for (const timeoutMs of [Number.NaN, -1])
      await expect(one.run(long, { timeoutMs })).rejects.toMatchObject({ code: 'E_USAGE', message: expect.stringContaining('timeoutMs') });
  });

  it('keeps an answer from the arrays that the caller changes meanwhile', async () => {
    const one = await pool({ instances: 1, threadsPerInstance: 1 });
    const feeds = feedsOf(1, 3);
    const expected = await one.run(feedsOf(1, 3));
    const [, answer] = await Promise.all([one.run(feedsOf(1, 3)), one.run(feeds), Promise.resolve(feeds.x.data.fill(9 as never))]);
    expect(answer).toEqual(expected);
  });

  it('drains: answers what it accepted, refuses what comes after with E_DRAINING', async () => {
    const one = await Pool.open(slow, { instances: 1, threadsPerInstance: 1, maxBatch: 2, maxDelayMs: 60_000 });
    const accepted = [1, 2, 3].map(() => one.run(long));
    const drained = one.drain();
    await expect(one.run(long)).rejects.toMatchObject({ code: 'E_DRAINING' });
    await drained;
    expect((await Promise.allSettled(accepted)).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    await Promise.all([one.close(), one.close()]);
    await expect(one.run(long)).rejects.toMatchObject({ code: 'E_DRAINING' });
  });

  it('drains without waiting for others to join what it has', async () => {
    const one = await Pool.open(model, { instances: 1, threadsPerInstance: 1, maxBatch: 2, maxDelayMs: 60_000 });
    const accepted = one.run(feedsOf(1, 3));
    await one.drain();
    await accepted;
    await one.close();
  });

  it('refuses feeds of another shape and options that make no sense, by name', async () => {
    const one = await pool({ instances: 1, threadsPerInstance: 1 });
    await expect(one.run({})).rejects.toMatchObject({ code: 'E_REQUEST' });
    for (const options of [{ maxBatch: 0 }, { maxQueue: -1 }, { maxDelayMs: Number.NaN }, { instances: 0 }, { cores: [9999] }])
      await expect(Pool.open(model, options)).rejects.toMatchObject({
        code: 'E_USAGE',
        message: expect.stringContaining(Object.keys(options)[0]!),
      });
  });
});
