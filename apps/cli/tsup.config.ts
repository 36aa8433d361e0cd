import { defineConfig } from 'tsup';

/** Commands are separate chunks, loaded when called, so that `ne --help` starts fast. */
export default defineConfig({
  entry: ['src/main.ts', 'src/neural-engine.ts'],
  format: ['esm'],
  target: 'node20',
  clean: true,
  splitting: true,
});
