import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fail, quote } from '../errors';
import type { Place } from '../place';

const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_DIRECTORY = 0 } = constants;

/** An open regular file that is proven to lie below its folder. The caller closes `fd`. */
export interface OpenedFile {
  fd: number;
  stats: BigIntStats;
}

/** Why a step was refused, before it is put into words for the user. */
type Refusal = 'missing' | 'symlink' | 'special' | 'denied' | 'moved';

class Refused extends Error {
  constructor(
    readonly refusal: Refusal,
    readonly reason: unknown,
  ) {
    super(refusal);
  }
}

function refusalOf(error: unknown): Refusal {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'missing';
    case 'ELOOP':
    case 'EMLINK':
      return 'symlink';
    case 'ENXIO':
    case 'EISDIR':
      return 'special';
    default:
      return 'denied';
  }
}

function attempt<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw new Refused(refusalOf(error), error);
  }
}

const stat = (path: string): BigIntStats => attempt(() => lstatSync(path, { bigint: true }));

/** Opens the last component below a folder path and proves that what was opened is the regular file that was looked at. */
function openLeaf(path: string): OpenedFile {
  const before = stat(path);
  if (before.isSymbolicLink()) throw new Refused('symlink', undefined);
  if (!before.isFile()) throw new Refused('special', undefined);
  const fd = attempt(() => openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  const stats = fstatSync(fd, { bigint: true });
  if (stats.isFile() && stats.dev === before.dev && stats.ino === before.ino) return { fd, stats };
  closeSync(fd);
  throw new Refused('moved', undefined);
}

/**
 * Linux: walks down one component at a time, each opened relative to the descriptor of the folder before it (through
 * /proc/self/fd, which names the folder itself and not a path to it), never following a link. Whatever another process
 * renames meanwhile, the walk stays below the folder it started from.
 */
function openByDescriptors(folder: string, parts: readonly string[]): OpenedFile {
  let at = attempt(() => openSync(folder, O_RDONLY | O_DIRECTORY));
  try {
    for (const part of parts.slice(0, -1)) {
      const path = `/proc/self/fd/${at}/${part}`;
      if (stat(path).isSymbolicLink()) throw new Refused('symlink', undefined);
      const next = attempt(() => openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      closeSync(at);
      at = next;
    }
    return openLeaf(`/proc/self/fd/${at}/${parts.at(-1)}`);
  } finally {
    closeSync(at);
  }
}

/** Elsewhere: checks every component before opening and again after, so that a path swapped in between is noticed. */
function openByPath(folder: string, parts: readonly string[]): OpenedFile {
  const folders = parts.slice(0, -1).map((_, depth) => join(folder, ...parts.slice(0, depth + 1)));
  const identify = (): string =>
    folders
      .map((path) => {
        const stats = stat(path);
        if (stats.isSymbolicLink()) throw new Refused('symlink', undefined);
        return `${stats.dev}:${stats.ino}`;
      })
      .join();
  const before = identify();
  const path = join(folder, ...parts);
  const file = openLeaf(path);
  try {
    const unmoved =
      identify() === before &&
      attempt(() => realpathSync(path)) ===
        join(
          attempt(() => realpathSync(folder)),
          ...parts,
        );
    const after = stat(path);
    if (unmoved && after.dev === file.stats.dev && after.ino === file.stats.ino) return file;
  } catch (error) {
    closeSync(file.fd);
    throw error;
  }
  closeSync(file.fd);
  throw new Refused('moved', undefined);
}

const hasDescriptorPaths =
  process.platform === 'linux' &&
  ((): boolean => {
    try {
      return lstatSync('/proc/self/fd').isDirectory();
    } catch {
      return false;
    }
  })();

/** Opens `parts` below `folder` without following any symbolic link. */
export function openBeneath(folder: string, parts: readonly string[], byDescriptors = hasDescriptorPaths): OpenedFile {
  return byDescriptors ? openByDescriptors(folder, parts) : openByPath(folder, parts);
}

/** Where a model's external data may lie. */
export interface ExternalRoot {
  /** The folder that locations are relative to. */
  folder: string;
  /** Set when the model was opened through a symbolic link: the real folder of its target. Data links may lead there, as in a hub cache. */
  linkedFolder?: string;
  allowHardlinks: boolean;
}

function openAllowed(root: ExternalRoot, parts: readonly string[]): OpenedFile {
  try {
    return openBeneath(root.folder, parts);
  } catch (error) {
    if (!(error instanceof Refused) || error.refusal !== 'symlink' || root.linkedFolder === undefined) throw error;
    // A hub cache keeps model and data as links into one folder of blobs. The data must lie in that very folder, and it
    // is opened there by name, so the link is not trusted after it has been read.
    const target = attempt(() => realpathSync(join(root.folder, ...parts)));
    if (dirname(target) !== root.linkedFolder) throw error;
    return openBeneath(root.linkedFolder, [basename(target)]);
  }
}

const EXPLANATIONS: Record<Exclude<Refusal, 'missing'>, string> = {
  symlink: 'leads through a symbolic link',
  special: 'is not a regular file',
  denied: 'cannot be opened',
  moved: 'was replaced while it was being opened',
};

/**
 * Opens a file of external data for reading, never following links out of the model's folder and never blocking.
 * @throws {EngineError} E_NOT_FOUND, or E_PATH with what the path is instead of a plain file below the model's folder.
 */
export function openExternal(root: ExternalRoot, parts: readonly string[], where: Place): OpenedFile {
  let file: OpenedFile;
  try {
    file = openAllowed(root, parts);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.refusal === 'missing') fail('E_NOT_FOUND', 'load', where, `the external data file ${quote(parts.join('/'))} does not exist`);
    fail('E_PATH', 'load', where, `the external data file ${quote(parts.join('/'))} ${EXPLANATIONS[error.refusal]}`);
  }
  if (file.stats.nlink > 1n && !root.allowHardlinks) {
    closeSync(file.fd);
    fail('E_PATH', 'load', where, `the external data file ${quote(parts.join('/'))} has other hard links; allowHardlinks accepts it`);
  }
  return file;
}
