import { constants as flags, readSync } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EngineError } from '@neural-engine/core';

export interface OpenFile {
  readonly name: string;
  readonly handle: FileHandle;
  readonly size: number;
  /** Set where the name was a link: the real folder of the file. */
  readonly linkedFolder?: string;
}

/** Where a link may lead: `anywhere`, or into one folder, or nowhere. */
export type Links = 'anywhere' | { readonly folder: string } | 'nowhere';

/**
 * Opens a regular file for reading, without waiting for the writer of a pipe.
 *
 * @throws {EngineError} E_IR_MISMATCH it is not there; E_PATH it is no regular file, or a link that may not be followed; E_LIMIT; E_IO.
 */
export async function openRegular(path: string, limit: number, links: Links): Promise<OpenFile> {
  const name = basename(path);
  const { handle, linkedFolder } = await openAllowed(path, links).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') throw new EngineError('E_IR_MISMATCH', 'ir', `the folder has no ${name}`, { where: name, cause });
    if (cause.code === 'ELOOP')
      throw new EngineError('E_PATH', 'ir', `${name} is a link; it may be one only where conf.yaml is one into the same folder`, {
        where: name,
        cause,
      });
    throw new EngineError('E_IO', 'ir', `${name} cannot be opened (${cause.code})`, { where: name, cause });
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new EngineError('E_PATH', 'ir', `${name} is no regular file`, { where: name });
    if (stats.size > limit)
      throw new EngineError('E_LIMIT', 'ir', `${name} has ${stats.size} bytes, the limit is ${limit}`, { where: name });
    return { name, handle, size: stats.size, ...(linkedFolder === undefined ? {} : { linkedFolder }) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

const openItself = (path: string): Promise<FileHandle> => open(path, flags.O_RDONLY | flags.O_NOFOLLOW | flags.O_NONBLOCK);

async function openAllowed(path: string, links: Links): Promise<{ handle: FileHandle; linkedFolder?: string }> {
  try {
    return { handle: await openItself(path) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ELOOP' || links === 'nowhere') throw error;
    // A hub's cache keeps every file as a link into one folder of blobs. The target is opened there by its name, so that the link is not
    // trusted after it has been read.
    const target = await realpath(path);
    const linkedFolder = dirname(target);
    if (links !== 'anywhere' && links.folder !== linkedFolder) throw error;
    return { handle: await openItself(join(linkedFolder, basename(target))), linkedFolder };
  }
}

/** What one call of the system takes. */
const PIECE_BYTES = 2 ** 30;

/** Fills `bytes` with those of a file from `offset` on. @throws {EngineError} E_IO the file fails, or ends before. */
export function readInto(bytes: Uint8Array, { name, handle }: OpenFile, offset: number): Uint8Array {
  for (let at = 0; at < bytes.length; ) {
    const count = readPiece(name, () => readSync(handle.fd, bytes, at, Math.min(bytes.length - at, PIECE_BYTES), offset + at));
    if (count === 0) throw new EngineError('E_IO', 'ir', `${name} became shorter while it was read`, { where: name });
    at += count;
  }
  return bytes;
}

function readPiece(name: string, read: () => number): number {
  try {
    return read();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new EngineError('E_IO', 'ir', `${name} cannot be read (${code})`, { where: name, cause });
  }
}
