// Says what is missing before anything is installed or built, and what to do about it.
import { spawnSync } from 'node:child_process';

const has = (command, args = ['--version']) => {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
};
const atLeast = (version, wanted) => {
  const [a, b] = [version, wanted].map((text) => text.split('.').map(Number));
  for (let i = 0; i < b.length; i++) if ((a[i] ?? 0) !== b[i]) return (a[i] ?? 0) > b[i];
  return true;
};

const missing = [];
if (!atLeast(process.versions.node, '20.19'))
  missing.push(`Node ${process.versions.node} is too old: install Node 20.19 or newer (nodejs.org).`);
const cargo = has('cargo')?.match(/\d+\.\d+\.\d+/)?.[0];
if (!cargo) missing.push('cargo was not found: install Rust 1.89 or newer (rustup.rs) and a C linker (Debian: apt-get install gcc).');
else if (!atLeast(cargo, '1.89')) missing.push(`cargo ${cargo} is too old: install Rust 1.89 or newer (rustup update).`);
if (cargo && process.platform === 'linux' && !has('cc'))
  missing.push('no C linker was found: install gcc or clang (Debian: apt-get install gcc).');
if (missing.length > 0) {
  for (const line of missing) process.stderr.write(`${line}\n`);
  process.exit(1);
}
