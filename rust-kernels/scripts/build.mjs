// Builds the native library with cargo and puts it where packages/kernels loads it from:
//   packages/kernels/npm/<triple>/neural-engine.<triple>.node   the library (ignored by git)
//   packages/kernels/src/generated/binding.d.ts                 its types (in git, so that types check before anything is built)
// CARGO_TARGET_DIR, CARGO_BUILD_TARGET, RUSTFLAGS and cargo's other variables are respected; --debug builds without optimisation.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const kernels = resolve(here, '../packages/kernels');
const output = join(here, 'dist');

/** The command-line tool of napi-rs, which runs cargo and extracts the types. */
function napiCli() {
  const require = createRequire(join(here, 'package.json'));
  const manifest = require.resolve('@napi-rs/cli/package.json');
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8'));
  return join(dirname(manifest), typeof bin === 'string' ? bin : bin.napi);
}

rmSync(output, { recursive: true, force: true });
const options = ['--manifest-path', 'crates/binding/Cargo.toml', '--package-json-path', 'package.json', '--output-dir', output];
const profile = process.argv.includes('--debug') ? [] : ['--release'];
const args = [napiCli(), 'build', ...options, '--platform', '--no-js', '--dts', 'binding.d.ts', ...profile];
const { status, error } = spawnSync(process.execPath, args, { cwd: here, stdio: ['ignore', 'inherit', 'inherit'] });
if (error || status !== 0) {
  console.error(`building the native library failed${error ? `: ${error.message}` : ''}; is a Rust toolchain (cargo ≥ 1.89) installed?`);
  process.exit(status || 1);
}

for (const file of readdirSync(output).filter((name) => name.endsWith('.node'))) {
  const triple = file.split('.').at(-2);
  const folder = join(kernels, 'npm', triple);
  mkdirSync(folder, { recursive: true });
  // A process that has the old library open keeps it: the new one gets the name by a rename.
  copyFileSync(join(output, file), join(folder, `${file}.new`));
  renameSync(join(folder, `${file}.new`), join(folder, file));
  console.log(`packages/kernels/npm/${triple}/${file}`);
}

const types = join(kernels, 'src/generated/binding.d.ts');
const text = readFileSync(join(output, 'binding.d.ts'), 'utf8');
if (!existsSync(types) || readFileSync(types, 'utf8') !== text) {
  mkdirSync(dirname(types), { recursive: true });
  writeFileSync(types, text);
}
