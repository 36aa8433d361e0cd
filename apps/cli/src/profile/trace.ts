import type { ProgramSpec } from '@neural-engine/kernels';
import type { Profiled } from '@neural-engine/runtime';
import type { LayerWork } from './rows';

interface TraceEvent {
  readonly name: string;
  readonly ph: 'X' | 'M';
  readonly pid: number;
  /** Not 0: Perfetto takes that for the kernel's idle thread. */
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly args?: Readonly<Record<string, unknown>>;
}

/** The track of whole runs, above those of the threads. */
const RUNS = 1;
const trackOf = (thread: number): number => RUNS + 1 + thread;

/**
 * Microseconds, as the format wants them. Perfetto multiplies by 1000 and cuts off: a value that would then lose its last nanosecond, and
 * overlap its neighbour, gets half of one more.
 */
const microseconds = (ns: number): number => (Math.trunc((ns / 1e3) * 1e3) === ns ? ns / 1e3 : (ns + 0.5) / 1e3);

/**
 * Profiled runs as a Chrome trace, which Perfetto and chrome://tracing open; a track for each thread.
 *
 * Durations are measured. Where within its region a step began is not: a thread's steps are drawn one behind the other, in their order,
 * although with several units they took turns.
 *
 * @see Trace Event Format (Google), "Complete Events" and "Metadata Events"; Perfetto, "Visualizing external trace formats".
 */
export function chromeTrace(runs: readonly Profiled[], work: ReadonlyMap<string, LayerWork>): string {
  const threads = runs[0]?.profile.regions[0]?.barrier.length ?? 1;
  const events: TraceEvent[] = [
    { name: 'process_name', ph: 'M', pid: 1, tid: RUNS, args: { name: 'neural engine' } },
    { name: 'thread_name', ph: 'M', pid: 1, tid: RUNS, args: { name: 'model_inference' } },
    ...Array.from(
      { length: threads },
      (_, t): TraceEvent => ({ name: 'thread_name', ph: 'M', pid: 1, tid: trackOf(t), args: { name: `thread ${t}` } }),
    ),
  ];
  let start = 0;
  for (const [i, run] of runs.entries()) {
    const end = drawRun(run, work, start, events);
    events.push({
      name: `Iteration${i}`,
      cat: 'model_inference',
      ph: 'X',
      pid: 1,
      tid: RUNS,
      ts: microseconds(start),
      dur: microseconds(end - start),
      args: { queue_us: run.profile.queueNs / 1e3 },
    });
    start = end + 1000;
  }
  return JSON.stringify({ displayTimeUnit: 'ms', traceEvents: events });
}

/** Draws from `start`. Nanoseconds. @returns where the run ended. */
function drawRun(
  { profile, program, layers }: Profiled,
  work: ReadonlyMap<string, LayerWork>,
  start: number,
  events: TraceEvent[],
): number {
  const spec = program.source as ProgramSpec;
  let regionStart = start;
  for (const [r, region] of profile.regions.entries()) {
    let regionEnd = regionStart;
    for (let thread = 0; thread < region.barrier.length; thread++) {
      let at = regionStart;
      const draw = (name: string, cat: string, ns: number, args: Record<string, unknown>): void => {
        if (ns > 0) events.push({ name, cat, ph: 'X', pid: 1, tid: trackOf(thread), ts: microseconds(at), dur: microseconds(ns), args });
        at += ns;
      };
      for (const [s, times] of region.steps.entries()) {
        const [layer, step] = [layers[r]![s]!, spec.regions[r]!.steps[s]!];
        const choice = work.get(layer)?.choice;
        draw(layer, step.op, times[thread]!, {
          step: step.op,
          region: r,
          units: region.units,
          ...(choice ? { kernel: choice.kernel, zeros: choice.zeroRatio } : {}),
        });
      }
      draw('barrier wait', 'barrier', region.barrier[thread]!, { region: r });
      regionEnd = Math.max(regionEnd, at);
    }
    regionStart = regionEnd;
  }
  return regionStart;
}
