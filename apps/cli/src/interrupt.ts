/** What the shell reports for a process that a signal ended. */
const ENDS = { SIGINT: 130, SIGTERM: 143 } as const;

const endOnInterrupt = (): never => process.exit(ENDS.SIGINT);
const endOnTermination = (): never => process.exit(ENDS.SIGTERM);

/** Lets signals end the process by its exit, which removes locks and half-written files; a signal alone would leave them. */
export function endOnSignals(): void {
  if (process.listeners('SIGTERM').includes(endOnTermination)) return;
  process.on('SIGINT', endOnInterrupt);
  process.on('SIGTERM', endOnTermination);
}

/**
 * A signal for Ctrl-C: the first asks the command to stop and report what it has, the second ends the process at once.
 *
 * @returns the signal, and what gives Ctrl-C its usual meaning back.
 */
export function onInterrupt(): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const wasEnding = process.listeners('SIGINT').includes(endOnInterrupt);
  const first = (): void => {
    controller.abort();
    process.once('SIGINT', endOnInterrupt);
  };
  process.off('SIGINT', endOnInterrupt);
  process.once('SIGINT', first);
  return {
    signal: controller.signal,
    release: () => {
      process.off('SIGINT', first);
      process.off('SIGINT', endOnInterrupt);
      if (wasEnding) process.on('SIGINT', endOnInterrupt);
    },
  };
}
