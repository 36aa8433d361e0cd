/** Latencies of contestants that ran in turn, in milliseconds, by name. */
export type Times = ReadonlyMap<string, readonly number[]>;

/**
 * Runs every contestant once a round, so that a change of the machine's speed meets all of them. Rounds before 0 are warm-up.
 * The order turns by one each round, so that nobody always follows the same rival's cache.
 */
export async function race(contestants: ReadonlyMap<string, () => Promise<unknown>>, rounds: number): Promise<Times> {
  const entries = [...contestants];
  const times = new Map<string, number[]>(entries.map(([name]) => [name, []]));
  const warmUp = Math.max(3, Math.ceil(rounds / 10));
  for (let round = -warmUp; round < rounds; round++) {
    for (let i = 0; i < entries.length; i++) {
      const [name, run] = entries[(i + round + warmUp) % entries.length]!;
      const started = performance.now();
      await run();
      if (round >= 0) times.get(name)!.push(performance.now() - started);
    }
  }
  return times;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export const minimum = (values: readonly number[]): number => Math.min(...values);

/** Median of how many times as fast `name` was as `rival` in each round. */
export const pairedRatio = (times: Times, name: string, rival: string): number =>
  median(times.get(name)!.map((value, i) => times.get(rival)![i]! / value));
