import type { ExplainEvent } from '@neural-engine/compiler';

/** Gathers what passes report and prints it: hits and declined near misses of each pass. */
export function explainCollector(): { record: (event: ExplainEvent) => void; text: () => string; events: readonly ExplainEvent[] } {
  const events: ExplainEvent[] = [];
  return {
    events,
    record: (event) => void events.push(event),
    text: () => JSON.stringify(events, null, 2),
  };
}
