import { defineConfig } from 'tsup';

/** Commands are separate chunks, loaded when called, so that `ne --help` starts fast. */
export default defineConfig({
  entry: {
    main: 'src/main.ts',
    'neural-engine': 'src/neural-engine.ts',
    // Instances in processes of their own begin here.
    'instance-process': 'src/bench/instance-process.ts',
  },
  format: ['esm'],
  target: 'node20',
  clean: true,
  splitting: true,
});
