import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmdirSync, rmSync, type Stats, statSync, unlinkSync, utimesSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { EngineError } from '../errors';
import { saveFailure } from './failures';
import { forget, removeAtExit } from './leftovers';
import { dropLock, type Found, type Holder, makeHolder, putLock, readLock } from './lock-file';
import { thisProcess } from './process-id';

/** What an output is: one file, or a folder of files that belong together. */
export type OutputKind = 'file' | 'folder';

/** What the lock of a folder and its temporary files begin with, inside it. */
export const INSIDE_FOLDER = '.output.';

const RENEWAL_MS = 15_000;
const TEMPORARY = /^\d+-[0-9a-f]{12}\.tmp$/;
/** Drafts of locks, and rights to take one away. */
const BESIDE_LOCK = /^lock(?:\.[0-9a-f-]+)*(?:\.\d+-[0-9a-f]{12}\.tmp)?$/;

/**
 * The right to write an output, which one process at a time has. Two runs that write to one place thus end with one whole result, and the
 * other is refused before it has worked for nothing.
 *
 * The lock is a hidden file beside the output (inside it, where it is a folder already) and names its holder. It is removed when it is
 * released and when the process exits. A killed process leaves it; the next writer sees that the holder has ended, takes the lock over and
 * removes the temporary files that were left too.
 */
export class OutputLock {
  private readonly renewal: NodeJS.Timeout;
  private isHeld = true;

  private constructor(
    /** As the caller named it. */
    readonly path: string,
    readonly kind: OutputKind,
    private readonly stem: string,
    private readonly holder: Holder,
    private readonly made: readonly string[],
  ) {
    // Who cannot see this process sees by this that it lives.
    this.renewal = setInterval(() => {
      try {
        const now = new Date();
        utimesSync(`${stem}lock`, now, now);
      } catch {
        // Somebody removed it. What is saved is still whole.
      }
    }, RENEWAL_MS).unref();
  }

  /**
   * Takes the lock of an output without waiting. For a folder, missing parents are made; they go again if nothing comes to lie in them.
   *
   * @throws {EngineError} E_LOCKED another run writes it; E_CANTCREAT it cannot be made, or is something else already.
   */
  static take(path: string, kind: OutputKind = 'file'): OutputLock {
    const stem = stemOf(path, kind);
    const made = kind === 'folder' ? makeFolders(dirname(stem), path) : [];
    try {
      const lock = new OutputLock(path, kind, stem, acquire(`${stem}lock`, path), made);
      lock.removeLeftovers();
      return lock;
    } catch (error) {
      removeFolders(made);
      throw saveFailure(error, path);
    }
  }

  /** A fresh name beside the output, or inside the folder that it is, for what is not complete. It is removed if the process exits. */
  temporary(): string {
    const path = `${this.stem}${process.pid}-${randomBytes(6).toString('hex')}.tmp`;
    removeAtExit(path, () => rmSync(path, { recursive: true, force: true }));
    return path;
  }

  /** A temporary file or folder is gone, or has its name now. */
  settled(temporary: string): void {
    forget(temporary);
  }

  /** Lets others write. Safe to call again. */
  release(): void {
    if (!this.isHeld) return;
    this.isHeld = false;
    clearInterval(this.renewal);
    try {
      dropLock(`${this.stem}lock`, this.holder);
    } catch {
      // It stays until this process ends; then the next writer takes it away.
    }
    removeFolders(this.made);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  /** Nobody else writes this output now: every temporary file of it is a dead writer's, and so is a lock that no process holds. */
  private removeLeftovers(): void {
    const [folder, prefix] = [dirname(this.stem), basename(this.stem)];
    try {
      for (const name of readdirSync(folder).filter((one) => one.startsWith(prefix))) {
        const rest = name.slice(prefix.length);
        const file = join(folder, name);
        if (TEMPORARY.test(rest)) rmSync(file, { recursive: true, force: true });
        else if (rest !== 'lock' && BESIDE_LOCK.test(rest) && readLock(file)?.alive === false) rmSync(file, { force: true });
      }
    } catch {
      // What lies about does not matter to the new output.
    }
  }
}

/** Runs `work` under the lock that the caller holds on `path`, or under one of its own. @throws {EngineError} as {@link OutputLock.take}. */
export async function underLock<Result>(
  path: string,
  kind: OutputKind,
  given: OutputLock | undefined,
  work: (lock: OutputLock) => Promise<Result>,
): Promise<Result> {
  if (given) {
    if (resolve(given.path) !== resolve(path))
      throw new EngineError('E_USAGE', 'usage', `the lock is one on "${given.path}", not on "${path}"`, { where: path });
    return work(given);
  }
  const own = OutputLock.take(path, kind);
  try {
    return await work(own);
  } finally {
    own.release();
  }
}

/** What the names of the lock and of temporary files begin with. @throws {EngineError} E_CANTCREAT. */
function stemOf(path: string, kind: OutputKind): string {
  const full = resolve(path);
  const found = statusOf(full, path);
  if (found?.isDirectory() && kind === 'folder') return join(full, INSIDE_FOLDER);
  if (found && (kind === 'folder' ? !found.isDirectory() : !found.isFile())) {
    const what = found.isDirectory() ? 'a folder' : found.isFile() ? 'a file' : 'a device or a pipe';
    throw new EngineError('E_CANTCREAT', 'save', `"${path}" is ${what}, not a ${kind}`, { where: path });
  }
  const name = basename(full);
  const digest = (): string => createHash('sha256').update(name).digest('hex').slice(0, 8);
  // Names may have 255 bytes, and a character up to four.
  return join(dirname(full), `.${Buffer.byteLength(name) <= 150 ? name : `${name.slice(0, 30)}-${digest()}`}.`);
}

function statusOf(full: string, path: string): Stats | undefined {
  try {
    return statSync(full);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw saveFailure(error, path);
  }
}

/** Makes a folder and those above it. @returns the new ones, the innermost first. */
function makeFolders(folder: string, path: string): string[] {
  try {
    const first = mkdirSync(folder, { recursive: true });
    const made: string[] = [];
    if (first) for (let at = folder; at.length >= first.length; at = dirname(at)) made.push(at);
    for (const one of [...made].reverse()) removeAtExit(one, () => rmdirSync(one));
    return made;
  } catch (error) {
    throw saveFailure(error, path);
  }
}

/** Removes folders that stayed empty. */
function removeFolders(made: readonly string[]): void {
  for (const folder of made) {
    forget(folder);
    try {
      rmdirSync(folder);
    } catch {
      // Something lies in it.
    }
  }
}

function acquire(file: string, path: string): Holder {
  const holder = makeHolder();
  // Each further round means that a lock was there and is not any more.
  for (let round = 0; round < 100; round++) {
    if (putLock(file, holder)) return holder;
    const found = readLock(file);
    if (found?.alive) throw lockedBy(found, file, path);
    if (found) takeAway(file, found, path);
  }
  throw new EngineError('E_LOCKED', 'save', `"${path}" is being written by several others, one after the other; try again`, {
    where: path,
  });
}

/**
 * Removes the lock of a dead holder. Of all who find it, only the one who gets the lock named after that holder may do so, and only while
 * it is that holder's: another's removal could otherwise meet the lock that somebody has taken since.
 */
function takeAway(file: string, { token }: Found, path: string): void {
  const right = `${file}.${token}`;
  const own = acquire(right, path);
  try {
    if (readLock(file)?.token === token) unlinkSync(file);
  } finally {
    dropLock(right, own);
  }
}

function lockedBy({ holder }: Found, file: string, path: string): EngineError {
  const hint = 'wait for it, end it, or name another output';
  const own = thisProcess();
  if (holder === undefined) return refusal('another run', hint);
  const since = Number.isFinite(new Date(holder.since).getTime()) ? ` since ${new Date(holder.since).toISOString()}` : '';
  if (holder.place !== own.place)
    return refusal(
      `process ${holder.pid} of another machine or container (${holder.command})${since}`,
      `${hint}; if it is gone, remove "${join(dirname(path), basename(file))}"`,
    );
  if (holder.pid === own.pid) return refusal(`this process already${since}`, 'wait for that save');
  return refusal(`process ${holder.pid} (${holder.command})${since}`, hint);

  function refusal(by: string, what: string): EngineError {
    return new EngineError('E_LOCKED', 'save', `"${path}" is being written by ${by}; ${what}`, { where: path });
  }
}
