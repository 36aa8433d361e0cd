// Runs the ONNX backend tests, adds what passes to pass-list.txt, and writes apps/docs/operators.md anew. Nothing is taken off the
// list: a listed test that no longer passes is a fault to mend. With --docs only the page is written.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const tests = process.argv.includes('--docs') ? ['operator-table'] : ['conformance', 'operator-table'];
for (const test of tests) {
  const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', `tooling/conformance/${test}.test.ts`], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, NE_CONFORMANCE_UPDATE: '1' },
  });
  if (status !== 0) process.exit(status ?? 1);
}
