/** What is printed of a list of latencies. Milliseconds. */
export interface LatencyStatistics {
  readonly count: number;
  readonly mean: number;
  readonly sd: number;
  readonly min: number;
  readonly max: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  /** Values beyond 1.5 interquartile ranges of the quartiles. */
  readonly outliers: number;
}

/** Value below which `share` (0 to 1) of the sorted values lie, linearly interpolated. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) return Number.NaN;
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (at - low);
}

export function latencyStatistics(valuesMs: readonly number[]): LatencyStatistics {
  const sorted = Float64Array.from(valuesMs).sort();
  const count = sorted.length;
  const mean = sorted.reduce((sum, value) => sum + value, 0) / count;
  const sd = count > 1 ? Math.sqrt(sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1)) : 0;
  const [q1, q3] = [percentile(sorted, 0.25), percentile(sorted, 0.75)];
  const reach = 1.5 * (q3 - q1);
  return {
    count,
    mean,
    sd,
    min: sorted[0] ?? Number.NaN,
    max: sorted[count - 1] ?? Number.NaN,
    p50: percentile(sorted, 0.5),
    p90: percentile(sorted, 0.9),
    p95: percentile(sorted, 0.95),
    p99: percentile(sorted, 0.99),
    p999: percentile(sorted, 0.999),
    outliers: sorted.filter((value) => value < q1 - reach || value > q3 + reach).length,
  };
}

/** A histogram of up to `bins` lines for a terminal, from the fastest to the 99th percentile. */
export function histogramLines(valuesMs: readonly number[], bins = 10, width = 40): string[] {
  const sorted = Float64Array.from(valuesMs).sort();
  if (sorted.length < 2) return [];
  const [low, high] = [sorted[0]!, percentile(sorted, 0.99)];
  if (high <= low) return [];
  const counts = new Array<number>(bins).fill(0);
  for (const value of sorted) if (value <= high) counts[Math.min(bins - 1, Math.floor(((value - low) / (high - low)) * bins))]!++;
  const most = Math.max(...counts);
  return counts.map((count, i) => {
    const from = low + ((high - low) * i) / bins;
    const eighths = Math.round((count / most) * width * 8);
    const bar = '█'.repeat(Math.floor(eighths / 8)) + (eighths % 8 ? '▏▎▍▌▋▊▉'[(eighths % 8) - 1]! : '');
    return `${from.toFixed(3).padStart(9)} ms │${bar}${bar ? ' ' : ''}${count}`;
  });
}
