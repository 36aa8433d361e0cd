import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { SlowestFirst } from './tooling/slowest-first';

/** One runner for the whole workspace; packages resolve to their sources, so no build is needed first (only the native one). */
export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    include: ['{packages,apps,tooling,examples}/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    sequence: { sequencer: SlowestFirst },
    // The default leaves one processor free, which on two of them is half of the machine.
    maxWorkers: availableParallelism(),
    typecheck: { enabled: false },
  },
});
