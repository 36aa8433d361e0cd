// Runs the steps of a task one after the other, prints what each took, and stops at the first that fails.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const pnpm = ['npx', '--yes', 'pnpm@10.34.9'];

/** @returns the exit status. Output goes to stderr for quiet steps' failures and straight through otherwise. */
export function run(title, [command, ...args], { quiet = false, env = {}, allowFailure = false } = {}) {
  const started = Date.now();
  process.stderr.write(`› ${title}\n`);
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', npm_config_loglevel: 'error', ...env },
  });
  const failed = status !== 0 || error !== undefined;
  if (failed && quiet) process.stderr.write(`${stdout ?? ''}${stderr ?? ''}${error ? `${error.message}\n` : ''}`);
  process.stderr.write(`${failed ? '✗' : '✓'} ${title} (${((Date.now() - started) / 1000).toFixed(1)} s)\n`);
  if (failed && !allowFailure) process.exit(status || 1);
  return status ?? 1;
}

export function bootstrap() {
  run('prerequisites', ['node', 'tooling/prerequisites.mjs']);
  run('install', [...pnpm, 'install', '--frozen-lockfile'], { quiet: true });
  run('build', [...pnpm, 'exec', 'turbo', 'run', 'build', '--output-logs=errors-only'], { quiet: true });
}
