// Runs the tests of the kernels under AddressSanitizer: reads and writes beside a buffer that guard pages cannot see, such as within a
// page, end the run with a report. By hand, as it builds everything anew: `node scripts/sanitize.mjs [cargo test arguments]`.
// The stable compiler has the sanitizer behind RUSTC_BOOTSTRAP; a target is named so that build scripts and macros are not sanitized.
import { spawnSync } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const host = /^host: (.+)$/m.exec(spawnSync('rustc', ['-vV'], { encoding: 'utf8' }).stdout ?? '')?.[1];
if (!host) {
  console.error('rustc is not installed');
  process.exit(1);
}
const filters = process.argv.slice(2);
const { status } = spawnSync(
  'cargo',
  [
    'test',
    '--target',
    host,
    '--target-dir',
    'target/sanitize',
    '-p',
    'neural-engine-kernels',
    '-p',
    'neural-engine-isa',
    '--lib',
    ...filters,
  ],
  {
    cwd: here,
    stdio: 'inherit',
    env: {
      ...process.env,
      RUSTC_BOOTSTRAP: '1',
      RUSTFLAGS: '-Zsanitizer=address -Cforce-frame-pointers=yes',
      // Guard pages are mapped on purpose and signals of theirs belong to the tests.
      ASAN_OPTIONS: 'detect_leaks=0:allow_user_segv_handler=1:abort_on_error=0',
    },
  },
);
process.exit(status ?? 1);
