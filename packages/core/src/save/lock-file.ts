import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, linkSync, openSync, readSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { EngineError } from '../errors';
import { forget, removeAtExit } from './leftovers';
import { isRunning, type ProcessId, thisProcess } from './process-id';

/** What a lock file says about who holds it. */
export interface Holder extends ProcessId {
  /** No other holder ever has the same. */
  readonly token: string;
  readonly command: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** A lock file as it was found. */
export interface Found {
  readonly token: string;
  /** Undefined: the file says nothing that could be read. */
  readonly holder: Holder | undefined;
  readonly alive: boolean;
}

/** A holder whose process cannot be seen from here renews its file every 15 s; so long after the last time it counts as gone. */
const FOREIGN_LIFETIME_MS = 5 * 60_000;

/** Where a lock cannot appear with its content, whoever finds it empty gives its maker so long. */
const MAKING_MS = 10_000;

const MOST_BYTES = 8192;

/** The right to do something, as a file that one process alone can make. */
export function makeHolder(): Holder {
  const [, script = process.execPath, ...args] = process.argv;
  const command = [basename(script).replace(/\.[cm]?[jt]s$/, ''), ...args].join(' ');
  return { ...thisProcess(), token: randomBytes(6).toString('hex'), command: command.slice(0, 300), since: Date.now() };
}

/** Makes a lock file, complete from its first moment. @returns false when there is one. @throws what system calls throw. */
export function putLock(file: string, holder: Holder): boolean {
  const text = JSON.stringify(holder);
  const draft = `${file}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`;
  writeFileSync(draft, text, { flag: 'wx', mode: 0o644 });
  try {
    return exclusively(() => linkSync(draft, file));
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    // A file system without hard links: making the file and filling it are two steps there.
    return exclusively(() => writeFileSync(file, text, { flag: 'wx', mode: 0o644 }));
  } finally {
    unlinkSync(draft);
  }

  function exclusively(make: () => void): boolean {
    try {
      make();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
    removeAtExit(file, () => dropLock(file, holder));
    return true;
  }
}

/** Removes a lock file that is still the holder's. */
export function dropLock(file: string, { token }: Pick<Holder, 'token'>): void {
  forget(file);
  if (readLock(file)?.token === token) unlinkSync(file);
}

/** Reads a lock file. @returns undefined when there is none. @throws {EngineError} E_CANTCREAT something else has its name. */
export function readLock(file: string): Found | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new EngineError('E_CANTCREAT', 'save', `"${basename(file)}" beside the output cannot be read (${code}); remove it`, {
      cause: error,
    });
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new EngineError('E_CANTCREAT', 'save', `"${basename(file)}" beside the output is no file; remove it`);
    const bytes = Buffer.alloc(MOST_BYTES);
    const holder = parseHolder(bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, MOST_BYTES, 0)));
    const age = Date.now() - stats.mtimeMs;
    if (holder === undefined)
      return { token: `${stats.ino.toString(16)}-${Math.trunc(stats.mtimeMs).toString(16)}`, holder, alive: age < MAKING_MS };
    const alive = holder.place === thisProcess().place ? isRunning(holder) : age < FOREIGN_LIFETIME_MS;
    return { token: holder.token, holder, alive };
  } finally {
    closeSync(descriptor);
  }
}

/** Anybody who may write in the folder may have written the file, and the token becomes part of a file name. */
function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, started, place, token, command, since } = JSON.parse(text) as Record<keyof Holder, unknown>;
    if (typeof pid !== 'number' || !Number.isInteger(pid) || pid < 1 || pid > 2 ** 31) return undefined;
    if (typeof started !== 'string' || typeof place !== 'string' || typeof command !== 'string') return undefined;
    if (typeof token !== 'string' || !/^[0-9a-f]{12}$/.test(token) || typeof since !== 'number') return undefined;
    return { pid, started, place, token, command, since };
  } catch {
    return undefined;
  }
}
