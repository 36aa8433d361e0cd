import { appendFileSync, mkdirSync, readdirSync, type Stats, statSync } from 'node:fs';
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

function readFailure(path: string, cause: NodeJS.ErrnoException): EngineError {
  return new EngineError(CODES[cause.code!] ?? 'E_IO', 'read', `"${path}" cannot be read (${cause.code})`, { where: path, cause });
}

/** @throws {EngineError} E_NOT_FOUND, E_PATH, E_IO with the path. */
export async function readBytes(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw readFailure(path, cause);
  });
}

/** What is there, undefined where nothing is. @throws {EngineError} as {@link readBytes}. */
export const statOf = (path: string): Stats | undefined => reading(path, () => statSync(path, { throwIfNoEntry: false }));

/** The names in a folder. @throws {EngineError} as {@link readBytes}. */
export const namesIn = (path: string): string[] => reading(path, () => readdirSync(path));

function reading<Result>(path: string, step: () => Result): Result {
  try {
    return step();
  } catch (error) {
    throw readFailure(path, error as NodeJS.ErrnoException);
  }
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
