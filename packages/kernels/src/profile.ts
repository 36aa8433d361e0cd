import type { NativeProfile } from './generated/binding';
import type { RegionProfile, RunProfile } from './types';

/** Gives the flat numbers of the native profile their form. */
export function toRunProfile({ threads, slots, units, nanoseconds, ...rest }: NativeProfile): RunProfile {
  const row = (slot: number): number[] => Array.from(nanoseconds.subarray(slot * threads, (slot + 1) * threads));
  const regions = units.map((count, region): RegionProfile => {
    const first = slots[region]!;
    // The last slot of a region is its barrier.
    const barrier = slots[region + 1]! - 1;
    return {
      units: count,
      steps: Array.from({ length: barrier - first }, (_, step) => row(first + step)),
      barrier: row(barrier),
    };
  });
  return { ...rest, regions };
}
