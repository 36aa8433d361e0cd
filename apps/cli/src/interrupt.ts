/**
 * A signal for Ctrl-C: the first asks the command to stop and report what it has, the second ends the process at once.
 *
 * @returns the signal, and what gives Ctrl-C its usual meaning back.
 */
export function onInterrupt(): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const first = (): void => {
    controller.abort();
    process.once('SIGINT', second);
  };
  const second = (): never => process.exit(130);
  process.once('SIGINT', first);
  return {
    signal: controller.signal,
    release: () => {
      process.off('SIGINT', first);
      process.off('SIGINT', second);
    },
  };
}
