import type { PassEvent } from '@neural-engine/compiler';

/** Gathers what passes report: hits, and near misses with the reason they were declined. */
export function explainCollector(): { readonly events: readonly PassEvent[]; record(event: PassEvent): void; text(): string } {
  const events: PassEvent[] = [];
  return {
    events,
    record: (event) => {
      events.push(event);
    },
    text: () => printExplanation(events),
  };
}

/** One paragraph a pass: how often it applied and to what, then what it declined and why. */
export function printExplanation(events: readonly PassEvent[]): string {
  const passes = new Map<string, PassEvent[]>();
  for (const event of events) passes.set(event.pass, [...(passes.get(event.pass) ?? []), event]);
  const lines: string[] = [];
  for (const [pass, list] of passes) {
    const hits = list.filter((event) => event.kind === 'hit');
    const made = new Map<string, number>();
    for (const { added } of hits) made.set(added.join('+') || 'nothing', (made.get(added.join('+') || 'nothing') ?? 0) + 1);
    const skipped = list.find((event) => event.kind === 'skipped');
    lines.push(
      skipped
        ? `${pass}: ${skipped.reason}`
        : `${pass}: ${hits.length} times${hits.length ? ` (${[...made].map(([ops, count]) => `${count} × ${ops}`).join(', ')})` : ''}`,
    );
    for (const event of list) if (event.kind === 'declined') lines.push(`  left alone: ${event.op} "${event.node}": ${event.reason}`);
  }
  return lines.join('\n');
}
