/** Windows that must agree, and what counts as agreeing when nothing else is said. */
const WINDOWS = 3;
export const STABLE_SHARE = 0.1;

/**
 * The spread of the last three windows: (largest − smallest) / mean of their mean latencies. Undefined before there are three.
 *
 * A window is a slice of the runs, in the order in which they ran. A measurement counts as stable when its spread is at most a tenth.
 */
export function windowSpread(valuesMs: readonly number[], windows = WINDOWS): number | undefined {
  const size = Math.floor(valuesMs.length / windows);
  if (size < 3) return undefined;
  const recent = valuesMs.slice(valuesMs.length - windows * size);
  const means = Array.from({ length: windows }, (_, i) => mean(recent.slice(i * size, (i + 1) * size)));
  return (Math.max(...means) - Math.min(...means)) / mean(means);
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
