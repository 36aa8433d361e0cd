import { fail } from '../errors';
import type { Place } from '../place';

const DRIVE = /^[A-Za-z]:/;
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//;

/**
 * Splits the `location` of an external tensor into path components, by its text alone: nothing is looked up on disk, so a
 * hostile file learns nothing about what exists.
 *
 * Accepts `weights.bin`, `./weights.bin`, `sub/weights.bin`. Components of `.` are dropped.
 * @throws {EngineError} E_PATH empty, absolute (also Windows and URL forms), with `..`, a backslash or NUL, or naming a folder.
 */
export function parseLocation(location: string, where: Place): string[] {
  const refuse = (problem: string): never => fail('E_PATH', 'load', where, `the external data location ${problem}`);
  if (location === '') refuse('is empty');
  if (location.includes('\0')) refuse('holds a NUL character');
  if (location.includes('\\')) refuse('holds a backslash');
  if (location.startsWith('/') || DRIVE.test(location) || SCHEME.test(location) || /^file:/i.test(location)) {
    refuse('is not relative to the model');
  }
  if (process.platform === 'win32' && location.includes(':')) refuse('holds a colon');
  const parts = location.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) refuse('leads out of the model’s folder');
  if (parts.length === 0 || /(^|\/)\.?$/.test(location)) refuse('names a folder');
  return parts;
}
