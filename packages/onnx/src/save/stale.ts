import { readdir, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const TEMPORARY = /^(\d+)-[0-9a-f]{12}\.tmp$/;

/** A process on another machine or in another container has a number that means nothing here; it gets this long to finish. */
const GRACE_MS = 60 * 60 * 1000;

/** The start of the names of all temporary files of a target. */
export const temporaryPrefix = (path: string): string => `.${basename(path).slice(0, 60)}.`;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Removes what killed writers of `path` left behind. Whatever goes wrong here does not matter to the new file. */
export async function removeStale(path: string): Promise<void> {
  const prefix = temporaryPrefix(path);
  const names = await readdir(dirname(path)).catch(() => []);
  for (const name of names) {
    const match = name.startsWith(prefix) ? TEMPORARY.exec(name.slice(prefix.length)) : null;
    if (match === null || isAlive(Number(match[1]))) continue;
    const file = join(dirname(path), name);
    const stats = await stat(file).catch(() => undefined);
    if (stats !== undefined && Date.now() - stats.mtimeMs > GRACE_MS) await unlink(file).catch(() => undefined);
  }
}
