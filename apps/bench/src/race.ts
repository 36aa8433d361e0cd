import { setTimeout } from 'node:timers/promises';

/** Milliseconds of contestants that ran in turn, by name; entry i of each list belongs to the same round. */
export type Times = ReadonlyMap<string, readonly number[]>;

/** One run of a contestant: how many milliseconds it took. */
export type Contestant = () => Promise<number>;

export interface RaceOptions {
  /** How long the measured rounds go on. */
  readonly seconds: number;
  /** Rounds at least, however long they take. Default 5. */
  readonly atLeast?: number;
  /** Default 400. */
  readonly atMost?: number;
  /** Wait before each run until this process is {@link calm}. Default no. */
  readonly calmFirst?: boolean;
}

/** CPUs that this process used in the next 5 ms. */
async function load(): Promise<number> {
  const before = process.cpuUsage();
  const started = performance.now();
  await setTimeout(5);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / (performance.now() - started);
}

/**
 * Waits until the threads of this process are at rest, for a fifth of a second at most: those of a rival that wait by spinning go on for
 * tens of milliseconds after its run, and would take a core from the next.
 */
export async function calm(loadNow: () => Promise<number> = load): Promise<void> {
  for (let tries = 0; tries < 40 && (await loadNow()) > 0.2; tries++);
}

/** Milliseconds on the clock of one call. */
export const timed =
  (run: () => unknown): Contestant =>
  async () => {
    const started = performance.now();
    await run();
    return performance.now() - started;
  };

/**
 * Runs every contestant once a round, so that a change of the machine's speed meets all of them, after rounds that warm up.
 * The order turns by one each round, so that nobody always follows the same rival's cache.
 */
export async function race(
  contestants: ReadonlyMap<string, Contestant>,
  { seconds, atLeast = 5, atMost = 400, calmFirst = false }: RaceOptions,
): Promise<Times> {
  const entries = [...contestants];
  const times = new Map<string, number[]>(entries.map(([name]) => [name, []]));
  const round = async (number: number, keep: boolean): Promise<void> => {
    for (let i = 0; i < entries.length; i++) {
      const [name, run] = entries[(i + number) % entries.length]!;
      if (calmFirst) await calm();
      const milliseconds = await run();
      if (keep) times.get(name)!.push(milliseconds);
    }
  };
  const warmUp = performance.now();
  for (let number = 0; number < 3 && (number === 0 || performance.now() - warmUp < seconds * 150); number++) await round(number, false);
  const started = performance.now();
  for (let number = 0; number < atMost && (number < atLeast || performance.now() - started < seconds * 1000); number++)
    await round(number, true);
  return times;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export const minimum = (values: readonly number[]): number => Math.min(...values);

/** Median over the rounds of how many times as fast `name` was as `rival`. */
export const pairedRatio = (times: Times, name: string, rival: string): number =>
  median(times.get(name)!.map((value, i) => times.get(rival)![i]! / value));

/** The one of `names` with the lowest median. */
export const fastestOf = (times: Times, names: readonly string[]): string =>
  names.reduce((best, name) => (median(times.get(name)!) < median(times.get(best)!) ? name : best));
