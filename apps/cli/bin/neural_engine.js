#!/usr/bin/env node
// The original's benchmark binary: same flags, same three lines.
import { existsSync } from 'node:fs';

const main = new URL('../dist/neural-engine.js', import.meta.url);
if (existsSync(main)) {
  const { run } = await import(main.href);
  await run(process.argv.slice(2));
} else {
  process.stderr.write('The command is not built yet. Run "npx --yes pnpm@10.34.9 run bootstrap" in the repository first.\n');
  process.exitCode = 70;
}
