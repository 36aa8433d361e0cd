import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const newest = (folder: string): number =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.includes('__fixtures__'))
    .reduce((latest, path) => Math.max(latest, statSync(join(folder, path)).mtimeMs), 0);

/** Whether what a package runs was built after its sources were last changed. */
function isBuilt(folder: string, file: string): boolean {
  const made = statSync(join(root, folder, 'dist', file), { throwIfNoEntry: false });
  return made !== undefined && made.mtimeMs > newest(join(root, folder, 'src'));
}

/**
 * Whether the commands are built from the sources as they are. Then a test that starts one need not compile it: the start of the built one
 * takes a third of the time.
 */
export const commandIsBuilt = (): boolean =>
  isBuilt('apps/cli', 'main.js') && readdirSync(join(root, 'packages')).every((name) => isBuilt(`packages/${name}`, 'index.js'));
