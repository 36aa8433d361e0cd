#!/usr/bin/env node
// Bins are linked before anything is built, so this file is committed and only starts what the build makes.
import { existsSync } from 'node:fs';

const main = new URL('../dist/main.js', import.meta.url);
if (existsSync(main)) {
  const { run } = await import(main.href);
  await run(process.argv.slice(2));
} else {
  process.stderr.write('The command is not built yet. Run "npx --yes pnpm@10.34.9 run bootstrap" in the repository first.\n');
  process.exitCode = 70;
}
