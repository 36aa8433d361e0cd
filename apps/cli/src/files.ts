import { appendFileSync, mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { EngineError, type ErrorCode, saveFailure } from '@neural-engine/core';

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'E_NOT_FOUND',
  ENOTDIR: 'E_NOT_FOUND',
  EISDIR: 'E_PATH',
  EACCES: 'E_PATH',
  EPERM: 'E_PATH',
  ELOOP: 'E_PATH',
};

/** @throws {EngineError} E_NOT_FOUND, E_PATH, E_IO with the path. */
export async function readBytes(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new EngineError(CODES[cause.code!] ?? 'E_IO', 'read', `"${path}" cannot be read (${cause.code})`, { where: path, cause });
  });
}

/** @throws {EngineError} as {@link readBytes}. */
export const readText = async (path: string): Promise<string> => (await readBytes(path)).toString('utf8');

/** Makes a folder and those above it, where they are missing. @throws {EngineError} E_CANTCREAT, E_SPACE, E_IO. */
export function makeFolder(path: string): void {
  saving(path, () => mkdirSync(path, { recursive: true }));
}

/** Adds to a file, which is made where it is missing. @throws {EngineError} E_CANTCREAT, E_SPACE, E_IO. */
export function appendText(path: string, text: string): void {
  saving(path, () => appendFileSync(path, text));
}

function saving(path: string, step: () => void): void {
  try {
    step();
  } catch (error) {
    throw saveFailure(error, path);
  }
}
