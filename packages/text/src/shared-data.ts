import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = process.env['NE_SHARED'] ?? fileURLToPath(new URL('../../../../shared', import.meta.url));

/** For tests: the path of a file in the optional data folder, or undefined with a printed reason. */
export function sharedData(path: string): string | undefined {
  const file = `${root}/${path}`;
  if (existsSync(file)) return file;
  console.warn(`skipped: ${file} is absent (set NE_SHARED to the data folder)`);
  return undefined;
}
