// Gives the Cargo workspace the version of @neural-engine/kernels, in Cargo.toml and Cargo.lock. Run by `pnpm version-packages`.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = process.argv[2] ?? '.';
const { version } = JSON.parse(readFileSync(join(root, 'packages/kernels/package.json'), 'utf8'));

function edit(file, pattern, replacement) {
  const path = join(root, file);
  const before = readFileSync(path, 'utf8');
  if (before.search(pattern) < 0) throw new Error(`${file}: the version was not found`);
  writeFileSync(path, before.replace(pattern, replacement));
}

edit('rust-kernels/Cargo.toml', /(\[workspace\.package\]\nversion = ")[^"]*/, `$1${version}`);
edit('rust-kernels/Cargo.lock', /(\nname = "neural-engine-[^"]*"\nversion = ")[^"]*/g, `$1${version}`);
console.log(`Cargo workspace: ${version}`);
