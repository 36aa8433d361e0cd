// Runs the steps of a task one after the other, prints what each took, and stops at the first that fails.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const pnpm = ['npx', '--yes', 'pnpm@10.34.9'];

/** A step that takes longer hangs: it is ended, with all it started, and has failed. */
const LIMIT_MINUTES = 20;

/**
 * Runs one step. Its output is kept back and shown when it fails (`quiet`), or goes straight through; `capture` also returns it.
 *
 * @returns {Promise<{ status: number, output: string, timedOut: boolean }>}
 */
export async function run(
  title,
  [command, ...args],
  { quiet = false, capture = false, env = {}, allowFailure = false, minutes = LIMIT_MINUTES } = {},
) {
  const started = Date.now();
  process.stderr.write(`› ${title}\n`);
  const keep = quiet || capture;
  const child = spawn(command, args, {
    cwd: root,
    stdio: keep ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    // A group of its own, so that what it started ends with it.
    detached: true,
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', npm_config_loglevel: 'error', ...env },
  });
  const kill = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // It has ended already.
    }
  };
  const interrupt = () => kill('SIGINT');
  process.once('SIGINT', interrupt);
  // Steps that run beside one that fails end with it.
  const abandon = () => kill('SIGKILL');
  process.once('exit', abandon);
  let output = '';
  for (const stream of keep ? [child.stdout, child.stderr] : []) stream.setEncoding('utf8').on('data', (text) => (output += text));
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    kill('SIGKILL');
  }, minutes * 60_000);
  const status = await new Promise((resolve) => {
    child.once('error', (error) => {
      output += `${error.message}\n`;
      resolve(127);
    });
    child.once('close', (code) => resolve(code ?? 1));
  });
  clearTimeout(timer);
  process.removeListener('SIGINT', interrupt);
  process.removeListener('exit', abandon);
  const failed = status !== 0;
  if (failed && keep) process.stderr.write(output);
  if (timedOut) process.stderr.write(`${title}: ended after ${minutes} minutes\n`);
  process.stderr.write(`${failed ? '✗' : '✓'} ${title} (${((Date.now() - started) / 1000).toFixed(1)} s)\n`);
  if (failed && !allowFailure) process.exit(status || 1);
  return { status, output, timedOut };
}

export async function bootstrap() {
  await run('prerequisites', ['node', 'tooling/prerequisites.mjs']);
  await run('install', [...pnpm, 'install', '--frozen-lockfile'], { quiet: true });
  await run('build', [...pnpm, 'exec', 'turbo', 'run', 'build', '--output-logs=errors-only'], { quiet: true });
}
