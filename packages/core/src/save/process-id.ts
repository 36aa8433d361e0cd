import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Which process. Its number alone is given again to others, so it goes with the time of its start and the place that counts it. */
export interface ProcessId {
  readonly pid: number;
  /** In ticks since the machine started; empty where the system does not tell. */
  readonly started: string;
  /** Processes of one place can see each other: the boot of a machine and its name space of numbers. */
  readonly place: string;
}

function read<T>(what: () => T): T | undefined {
  try {
    return what();
  } catch {
    return undefined;
  }
}

/** State and start of a process, fields 3 and 22 of /proc/PID/stat. The second field, a name in parentheses, may hold anything. */
function statOf(pid: number): { state: string; started: string } | undefined {
  const text = read(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', started: fields[19] ?? '' };
}

let own: ProcessId | undefined;

/** The process that asks. */
export function thisProcess(): ProcessId {
  // A fork without exec does not happen to Node, so the answer stays.
  own ??= { pid: process.pid, started: statOf(process.pid)?.started ?? '', place: placeOfProcesses() };
  return own;
}

function placeOfProcesses(): string {
  const boot = read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim());
  const space = read(() => readlinkSync('/proc/self/ns/pid'));
  return boot && space ? `${boot} ${space}` : hostname();
}

/** False when a process of this place has ended, even where its number has been given to another since. */
export function isRunning({ pid, started }: ProcessId): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Any other refusal is about the right to send signals: there is a process.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const found = statOf(pid);
  if (found === undefined) return true;
  // Z and X: it has ended and nobody has asked how.
  return !/[ZX]/.test(found.state) && (started === '' || found.started === '' || found.started === started);
}
