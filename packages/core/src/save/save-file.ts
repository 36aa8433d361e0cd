import { writeFile } from 'node:fs/promises';
import { AtomicFile } from './atomic-file';
import { saveFailure } from './failures';
import { isWrittenInPlace } from './in-place';
import { refuseExisting } from './occupied';
import { type OutputLock, underLock } from './output-lock';

export interface SaveOptions {
  /** Replaces what is there. The old file stays whole until the new one is. */
  readonly force?: boolean;
  /** One that the caller holds on this path; else one is taken for as long as saving lasts. */
  readonly lock?: OutputLock | undefined;
}

/**
 * Writes a file, whole or not at all. A device or a pipe is written to as it is.
 *
 * @throws {EngineError} E_CANTCREAT it exists (without `force`) or cannot be made; E_LOCKED another run writes it; E_SPACE; E_IO.
 */
export async function saveFile(path: string, content: string | Uint8Array, { force = false, lock }: SaveOptions = {}): Promise<void> {
  if (isWrittenInPlace(path)) {
    await writeFile(path, content).catch((error: unknown) => {
      throw saveFailure(error, path);
    });
    return;
  }
  await underLock(path, 'file', lock, async (held) => {
    if (!force) await refuseExisting(path);
    const file = await AtomicFile.create(held);
    try {
      await file.write(typeof content === 'string' ? Buffer.from(content) : content);
      await file.finish();
      await file.commit(path, force);
    } catch (error) {
      await file.discard();
      throw error;
    }
  });
}
