/**
 * What a process removes when it ends in the middle of its work: temporary files and locks.
 *
 * It happens in the event `exit`, so after `process.exit`, an uncaught error or the natural end. A signal without a handler ends a process
 * without that event: a program that wants its files removed then calls `process.exit` in a handler. What a killed process leaves is
 * removed by the next writer of the same output.
 */
const removals = new Map<string, () => void>();

function removeAll(): void {
  // What came last goes first: it may lie in a folder that was made for it.
  for (const remove of [...removals.values()].reverse()) {
    try {
      remove();
    } catch {
      // The process ends: nobody is there to be told, and the next writer tries again.
    }
  }
}

/** Calls `remove`, which must be synchronous, when the process ends before {@link forget} is called with the same path. */
export function removeAtExit(path: string, remove: () => void): void {
  if (removals.size === 0) process.on('exit', removeAll);
  removals.set(path, remove);
}

/** Takes back what {@link removeAtExit} was told: the path is gone, or is a result now. */
export function forget(path: string): void {
  if (removals.delete(path) && removals.size === 0) process.off('exit', removeAll);
}
