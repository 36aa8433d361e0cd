import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { testsThatRunAlone } from './tooling/alone';
import { SlowestFirst } from './tooling/slowest-first';

const FOLDERS = ['packages', 'apps', 'tooling', 'examples'];
const all = FOLDERS.map((folder) => `${folder}/**/*.test.ts`);
const none = ['**/node_modules/**', '**/dist/**'];
const alone = testsThatRunAlone(fileURLToPath(new URL('.', import.meta.url)), FOLDERS);

/** One runner for the whole workspace; packages resolve to their sources, so no build is needed first (only the native one). */
export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    setupFiles: fileURLToPath(new URL('./tooling/restore-variables.ts', import.meta.url)),
    sequence: { sequencer: SlowestFirst },
    // The default leaves one processor free, which on two of them is half of the machine.
    maxWorkers: availableParallelism(),
    typecheck: { enabled: false },
    projects: [
      { extends: true, test: { name: 'alone', include: alone, exclude: none } },
      { extends: true, test: { name: 'together', include: all, exclude: [...none, ...alone], isolate: false } },
    ],
  },
});
