import { type FileHandle, link, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { failureInside } from './failures';
import { occupied, refuseExisting } from './occupied';
import type { OutputLock } from './output-lock';

const MAX_WRITE = 2 ** 30;

/** Makes the entries of a folder durable. Windows has no such call and needs none. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * A file that gets its name only when it is complete and on disk. Until then it is a hidden file of a locked output, which
 * {@link discard} removes; a reader sees the old file or the new one, never a part.
 */
export class AtomicFile {
  private written = 0;
  private open = true;
  private named = false;

  private constructor(
    private readonly handle: FileHandle,
    private readonly temporary: string,
    private readonly lock: OutputLock,
  ) {}

  /** Starts a file of an output. @throws {EngineError} E_CANTCREAT its folder is not writable. */
  static async create(lock: OutputLock): Promise<AtomicFile> {
    const temporary = lock.temporary();
    try {
      return new AtomicFile(await open(temporary, 'wx', 0o666), temporary, lock);
    } catch (error) {
      lock.settled(temporary);
      throw failureInside(error, lock.path);
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
      throw failureInside(error, this.lock.path);
    }
  }

  /** Makes the bytes durable. After this only {@link commit} and {@link discard} make sense. */
  async finish(): Promise<void> {
    try {
      await this.handle.sync();
      this.open = false;
      await this.handle.close();
    } catch (error) {
      throw failureInside(error, this.lock.path);
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
      this.lock.settled(this.temporary);
      await syncFolder(dirname(path));
    } catch (error) {
      throw failureInside(error, path);
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
    this.lock.settled(this.temporary);
  }
}
