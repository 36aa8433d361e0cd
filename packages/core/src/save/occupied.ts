import { lstat, readdir } from 'node:fs/promises';
import { EngineError } from '../errors';
import { saveFailure } from './failures';
import { INSIDE_FOLDER, type OutputKind } from './output-lock';

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

/** That a result may not go there without the caller's word. */
export const occupied = (path: string): EngineError =>
  new EngineError('E_CANTCREAT', 'save', `"${path}" exists already; force replaces it`, { where: path });

/** @throws {EngineError} E_CANTCREAT something has the name of an output. An empty folder may become one that holds something. */
export async function refuseExisting(path: string, kind: OutputKind = 'file'): Promise<void> {
  if (!(await exists(path))) return;
  if (kind === 'file') throw occupied(path);
  const names = await readdir(path).catch(() => ['?']);
  if (names.some((name) => !name.startsWith(INSIDE_FOLDER))) throw occupied(path);
}
