import { PIPELINE } from './pipeline';
import type { PassEvent } from './rewrite';

/** What one pass did, over all its places in the pipeline. */
export interface PassReport {
  readonly pass: string;
  readonly summary: string;
  /** How often it changed the graph. */
  readonly hits: number;
  /** Near misses it left alone. */
  readonly declined: readonly { readonly node: string; readonly op: string; readonly reason: string }[];
  /** What it assumed. */
  readonly notes: readonly string[];
  /** Why it did not run, where it did not. */
  readonly skipped?: string;
}

/** One entry a pass, in the order of the pipeline. */
export type ExplainReport = readonly PassReport[];

/**
 * Gathers the events of a compilation: `const told = explainer(); compile(model, { explain: told.explain }); told.report();`
 */
export function explainer(): { explain(event: PassEvent): void; report(): ExplainReport } {
  const events: PassEvent[] = [];
  return {
    explain: (event) => {
      events.push(event);
    },
    report: () => summarize(events),
  };
}

function summarize(events: readonly PassEvent[]): ExplainReport {
  const summaries = new Map<string, string>(PIPELINE.map(({ pass }) => [pass.name, pass.summary]));
  for (const { pass } of events) if (!summaries.has(pass)) summaries.set(pass, '');
  return [...summaries].map(([pass, summary]) => {
    const own = events.filter((event) => event.pass === pass);
    const skipped = own.find((event) => event.kind === 'skipped');
    const told = new Set<string>();
    const declined = own.flatMap((event) => {
      if (event.kind !== 'declined' || told.has(`${event.node}\n${event.reason}`)) return [];
      told.add(`${event.node}\n${event.reason}`);
      return [{ node: event.node, op: event.op, reason: event.reason }];
    });
    return {
      pass,
      summary,
      hits: own.filter((event) => event.kind === 'hit' || event.kind === 'note').length,
      notes: own.flatMap((event) => (event.kind === 'note' ? [event.message] : [])),
      declined,
      ...(skipped?.kind === 'skipped' && { skipped: skipped.reason }),
    };
  });
}

/** The report as lines of text: a pass with its hits, and below it what it declined and why. */
export function formatReport(report: ExplainReport): string {
  const width = Math.max(...report.map(({ pass }) => pass.length));
  return report
    .flatMap(({ pass, summary, hits, notes, declined, skipped }) => [
      `${pass.padEnd(width)}  ${skipped ?? `${hits} ${hits === 1 ? 'hit' : 'hits'}`.padStart(9)}  ${summary}`,
      ...notes.map((note) => `${' '.repeat(width + 2)}${note}`),
      ...declined.map(({ node, op, reason }) => `${' '.repeat(width + 2)}declined ${op} "${node}": ${reason}`),
    ])
    .join('\n');
}
