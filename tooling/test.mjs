// All tests of both languages; the last line counts them.

import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pnpm, root, run } from './run.mjs';

function typescript() {
  const report = join(root, 'node_modules', '.vitest-report.json');
  rmSync(report, { force: true });
  const status = run(
    'test TypeScript',
    [...pnpm, 'exec', 'vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    { allowFailure: true },
  );
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

function rust() {
  process.stderr.write('› test Rust\n');
  const { status, stdout, stderr } = spawnSync(
    'cargo',
    ['test', '--manifest-path', 'rust-kernels/Cargo.toml', '--workspace', '--quiet', '--no-fail-fast', '--', '--show-output'],
    {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    },
  );
  const text = `${stdout}\n${stderr}`;
  if (status !== 0) process.stderr.write(text);
  for (const line of new Set(text.split('\n').filter((line) => line.includes('not tested')))) process.stderr.write(`${line}\n`);
  const sum = { status, passed: 0, failed: 0, skipped: 0 };
  for (const [, passed, failed, ignored] of text.matchAll(/(\d+) passed; (\d+) failed; (\d+) ignored/g)) {
    sum.passed += Number(passed);
    sum.failed += Number(failed);
    sum.skipped += Number(ignored);
  }
  // A crate that does not compile runs no test; that is a failure too.
  if (status !== 0 && sum.failed === 0) sum.failed = 1;
  process.stderr.write(`${status === 0 ? '✓' : '✗'} test Rust: ${sum.passed} passed, ${sum.failed} failed\n`);
  return sum;
}

/** @returns the exit status. */
export function runTests() {
  const [ts, rs] = [typescript(), rust()];
  const total = (key) => ts[key] + rs[key];
  const skipped = total('skipped');
  process.stdout.write(`${total('passed')} passed, ${total('failed')} failed${skipped ? `, ${skipped} skipped` : ''}\n`);
  return ts.status === 0 && rs.status === 0 && total('failed') === 0 && total('passed') > 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit(runTests());
