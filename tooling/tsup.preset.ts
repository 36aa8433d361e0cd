import { defineConfig } from 'tsup';

/** Every package is built the same way: ESM and CJS with declarations for both. */
export default defineConfig({
  entry: ['src/index.ts'],
  format: ['esm', 'cjs'],
  dts: { compilerOptions: { customConditions: [] } },
  clean: true,
  target: 'node20',
  sourcemap: false,
  treeshake: true,
  splitting: false,
  shims: true,
});
