import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Tests that replace modules, change their process otherwise than by variables, which are restored, or weigh its memory. */
const CHANGES_ITS_PROCESS = /\bvi\.(mock|doMock|resetModules|stubGlobal)\(|process\.(chdir|exitCode)|memoryUsage|VmRSS/;

/**
 * The test files within `folders` of `root` that need a process of their own, as paths from `root`. The others share one and the modules
 * that it has loaded: to load them again for each of them would take a fifth of the time of all tests.
 */
export const testsThatRunAlone = (root: string, folders: readonly string[]): string[] =>
  folders
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`))
    .filter((path) => path.endsWith('.test.ts') && !/(^|\/)(node_modules|dist)\//.test(path))
    .filter((path) => CHANGES_ITS_PROCESS.test(readFileSync(join(root, path), 'utf8')));
