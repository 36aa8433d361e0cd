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

/** How often latencies were met: equal bins from `fromMs`, the fastest, to `toMs`, the 99th percentile; what is slower is only counted. */
export interface LatencyHistogram {
  readonly fromMs: number;
  readonly toMs: number;
  readonly counts: readonly number[];
  readonly slower: number;
}

/** Undefined where there is nothing to divide: fewer than two values, or all alike. */
export function latencyHistogram(valuesMs: readonly number[], bins = 10): LatencyHistogram | undefined {
  const sorted = Float64Array.from(valuesMs).sort();
  const [fromMs, toMs] = [sorted[0] ?? 0, percentile(sorted, 0.99)];
  if (sorted.length < 2 || toMs <= fromMs) return undefined;
  const counts = new Array<number>(bins).fill(0);
  let slower = 0;
  for (const value of sorted) {
    if (value > toMs) slower++;
    else counts[Math.min(bins - 1, Math.floor(((value - fromMs) / (toMs - fromMs)) * bins))]!++;
  }
  return { fromMs, toMs, counts, slower };
}

/** The histogram for a terminal, a line for each bin. */
export function histogramLines(valuesMs: readonly number[], width = 40): string[] {
  const histogram = latencyHistogram(valuesMs);
  if (!histogram) return [];
  const { fromMs, toMs, counts } = histogram;
  const most = Math.max(...counts);
  return counts.map((count, i) => {
    const from = fromMs + ((toMs - fromMs) * i) / counts.length;
    const eighths = Math.round((count / most) * width * 8);
    const bar = '█'.repeat(Math.floor(eighths / 8)) + (eighths % 8 ? '▏▎▍▌▋▊▉'[(eighths % 8) - 1]! : '');
    return `${from.toFixed(3).padStart(9)} ms │${bar}${bar ? ' ' : ''}${count}`;
  });
}
