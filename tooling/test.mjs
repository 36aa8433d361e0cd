// All tests of both languages; the last line counts them.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pnpm, root, run } from './run.mjs';

async function typescript() {
  const report = join(root, 'node_modules', '.vitest-report.json');
  const running = join(root, 'node_modules', '.vitest-running.txt');
  rmSync(report, { force: true });
  rmSync(running, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', '--reporter=./tooling/running-files.ts', `--outputFile.json=${report}`];
  const { status, timedOut } = await run('test TypeScript', [...pnpm, 'exec', 'vitest', 'run', ...reporters], {
    allowFailure: true,
    env: { NE_RUNNING_FILES: running },
  });
  if (timedOut && existsSync(running)) process.stderr.write(`still running then:\n${readFileSync(running, 'utf8')}\n`);
  if (!existsSync(report)) return { status: status || 1, passed: 0, failed: 1, skipped: 0 };
  const counts = JSON.parse(readFileSync(report, 'utf8'));
  // A file that cannot be loaded, or whose preparation fails, has no failed test of its own; it counts as one.
  const broken = counts.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  return {
    status,
    passed: counts.numPassedTests,
    failed: counts.numFailedTests + broken,
    skipped: counts.numPendingTests + counts.numTodoTests,
  };
}

async function rust() {
  const cargo = ['cargo', 'test', '--manifest-path', 'rust-kernels/Cargo.toml', '--workspace', '--quiet', '--no-fail-fast'];
  const { status, output } = await run('test Rust', [...cargo, '--', '--show-output'], { capture: true, allowFailure: true });
  for (const line of new Set(output.split('\n').filter((line) => line.includes('not tested')))) process.stderr.write(`${line}\n`);
  const sum = { status, passed: 0, failed: 0, skipped: 0 };
  for (const [, passed, failed, ignored] of output.matchAll(/(\d+) passed; (\d+) failed; (\d+) ignored/g)) {
    sum.passed += Number(passed);
    sum.failed += Number(failed);
    sum.skipped += Number(ignored);
  }
  // A crate that does not compile, or a run that was ended, reports no failed test; it counts as one.
  if (status !== 0 && sum.failed === 0) sum.failed = 1;
  process.stderr.write(`test Rust: ${sum.passed} passed, ${sum.failed} failed\n`);
  return sum;
}

/** @returns the exit status. */
export async function runTests() {
  const [ts, rs] = [await typescript(), await rust()];
  const total = (key) => ts[key] + rs[key];
  const skipped = total('skipped');
  process.stdout.write(`${total('passed')} passed, ${total('failed')} failed${skipped ? `, ${skipped} skipped` : ''}\n`);
  return ts.status === 0 && rs.status === 0 && total('failed') === 0 && total('passed') > 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit(await runTests());
