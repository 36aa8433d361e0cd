import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = process.env['NE_SHARED'] ?? fileURLToPath(new URL('../../../../../shared', import.meta.url));

/** A folder of the shared test data, or undefined (with the reason printed) where it is not there. */
export function sharedFolder(path: string): string | undefined {
  const folder = join(root, path);
  if (existsSync(folder)) return folder;
  console.warn(`skipped: the test data "${path}" are not there; NE_SHARED names the folder that holds them`);
  return undefined;
}
