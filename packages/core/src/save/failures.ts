import { EngineError, type ErrorCode } from '../errors';

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'E_SPACE',
  EDQUOT: 'E_SPACE',
  EFBIG: 'E_SPACE',
  ENOENT: 'E_CANTCREAT',
  ENOTDIR: 'E_CANTCREAT',
  EISDIR: 'E_CANTCREAT',
  EACCES: 'E_CANTCREAT',
  EPERM: 'E_CANTCREAT',
  EROFS: 'E_CANTCREAT',
  EEXIST: 'E_CANTCREAT',
  ENAMETOOLONG: 'E_CANTCREAT',
  ELOOP: 'E_CANTCREAT',
  ENOTEMPTY: 'E_CANTCREAT',
};

const WORDS: Partial<Record<ErrorCode, string>> = {
  E_SPACE: 'there is no space left for it',
  E_CANTCREAT: 'it cannot be created',
  E_IO: 'writing failed',
};

/** Puts a failed system call into the engine's words; `path` is the one the caller gave. Engine errors pass unchanged. */
export function saveFailure(error: unknown, path: string): EngineError {
  if (EngineError.isInstance(error)) return error;
  const { code = 'unknown error' } = error as NodeJS.ErrnoException;
  const kind = CODES[code] ?? 'E_IO';
  return new EngineError(kind, 'save', `${path}: ${WORDS[kind]} (${code})`, { where: path, cause: error });
}

/** The same for an output that is locked already: then its folder was there, and one that is missing has been taken away since. */
export function failureInside(error: unknown, path: string): EngineError {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return saveFailure(error, path);
  return new EngineError('E_IO', 'save', `${path}: its folder was removed or renamed while it was written`, { where: path, cause: error });
}
