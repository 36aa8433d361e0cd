import { randomBytes } from 'node:crypto';
import { type FileHandle, link, lstat, open, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EngineError } from '@neural-engine/core';
import { saveFailure } from './failures';
import { removeStale, temporaryPrefix } from './stale';

const MAX_WRITE = 2 ** 30;

/** Makes the entries of a folder durable. Windows has no such call and needs none. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** True where something, be it a broken link, has the name. */
export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw saveFailure(error, path);
  }
}

const occupied = (path: string): EngineError =>
  new EngineError('E_CANTCREAT', 'save', `${path}: it exists already; force replaces it`, { where: path });

/** @throws {EngineError} E_CANTCREAT something has the name. */
export async function refuseExisting(path: string): Promise<void> {
  if (await exists(path)) throw occupied(path);
}

/**
 * A file that gets its name only when it is complete and on disk. Until then it is a hidden file beside its target, which
 * {@link discard} removes; a reader sees the old file or the new one, never a part.
 */
export class AtomicFile {
  private written = 0;
  private open = true;
  private named = false;

  private constructor(
    private readonly handle: FileHandle,
    private readonly temporary: string,
    private readonly shownPath: string,
  ) {}

  /** Starts a file in the folder of `path`. @throws {EngineError} E_CANTCREAT the folder is missing or not writable. */
  static async create(path: string): Promise<AtomicFile> {
    const suffix = `${process.pid}-${randomBytes(6).toString('hex')}.tmp`;
    const temporary = join(dirname(path), `${temporaryPrefix(path)}${suffix}`);
    await removeStale(path);
    try {
      return new AtomicFile(await open(temporary, 'wx', 0o666), temporary, path);
    } catch (error) {
      throw saveFailure(error, path);
    }
  }

  /** True once the file has its name, even where making the name durable failed. */
  get isNamed(): boolean {
    return this.named;
  }

  /** Bytes written so far. */
  get size(): number {
    return this.written;
  }

  /** Appends bytes. @throws {EngineError} E_SPACE the disk is full; E_IO. */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.byteLength; ) {
        const { bytesWritten } = await this.handle.write(bytes, done, Math.min(bytes.byteLength - done, MAX_WRITE), this.written);
        done += bytesWritten;
        this.written += bytesWritten;
      }
    } catch (error) {
      throw saveFailure(error, this.shownPath);
    }
  }

  /** Makes the bytes durable. After this only {@link commit} and {@link discard} make sense. */
  async finish(): Promise<void> {
    try {
      await this.handle.sync();
      this.open = false;
      await this.handle.close();
    } catch (error) {
      throw saveFailure(error, this.shownPath);
    }
  }

  /**
   * Gives the file its name, durably.
   *
   * @param replace whether it may take the place of a file that has the name now; if not, a file that appears at the last
   *   moment is still not replaced.
   * @throws {EngineError} E_CANTCREAT the name is taken, or by a folder.
   */
  async commit(path: string, replace: boolean): Promise<void> {
    try {
      if (replace) await rename(this.temporary, path);
      else await this.linkInto(path);
      this.named = true;
      await syncFolder(dirname(path));
    } catch (error) {
      throw saveFailure(error, path);
    }
  }

  private async linkInto(path: string): Promise<void> {
    try {
      await link(this.temporary, path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') throw occupied(path);
      if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EMLINK') throw error;
      // A file system without hard links: the look and the rename are two steps there.
      await refuseExisting(path);
      return rename(this.temporary, path);
    }
    await unlink(this.temporary);
  }

  /** Removes what was written; harmless after a commit. */
  async discard(): Promise<void> {
    if (this.open) {
      this.open = false;
      await this.handle.close().catch(() => undefined);
    }
    await unlink(this.temporary).catch(() => undefined);
  }
}
