import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const beside = fileURLToPath(new URL('../../../../../shared/', import.meta.url));

/** The data folder that lies beside the repository, or where NE_SHARED says; undefined, with a printed reason, where it is absent. */
export const SHARED: string | undefined = (() => {
  const folder = process.env['NE_SHARED'] ?? beside;
  if (existsSync(folder)) return folder.endsWith('/') ? folder : `${folder}/`;
  console.warn(`skipped: no data folder at ${folder}; set NE_SHARED`);
  return undefined;
})();
