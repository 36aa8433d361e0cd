import type { Program, ProgramSpec, RunProfile } from '@neural-engine/kernels';

/** Nanoseconds that the first thread spent in each kind of step of a profiled run. */
export function stepTimes(profile: RunProfile, program: Program): Map<string, number> {
  const { regions } = (typeof program.source === 'string' ? JSON.parse(program.source) : program.source) as ProgramSpec;
  const spent = new Map<string, number>();
  for (const [r, { steps }] of regions.entries())
    for (const [s, { op }] of steps.entries()) spent.set(op, (spent.get(op) ?? 0) + profile.regions[r]!.steps[s]![0]!);
  return spent;
}
