import { defineConfig } from 'tsup';

/** Every package is built the same way: ESM and CJS with declarations for both. */
export default defineConfig({
  entry: ['src/index.ts'],
  format: ['esm', 'cjs'],
  // Types are checked once, by `pnpm typecheck`; here their declarations are only written.
  dts: { compilerOptions: { customConditions: [], noCheck: true } },
  clean: true,
  target: 'node20',
  sourcemap: false,
  treeshake: true,
  splitting: false,
  shims: true,
});
