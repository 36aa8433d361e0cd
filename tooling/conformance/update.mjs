// Runs the ONNX backend tests, adds what passes to pass-list.txt, and writes apps/docs/operators.md anew. Nothing is taken off the
// list: a listed test that no longer passes is a fault to mend.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
for (const test of ['conformance', 'operator-table']) {
  const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', `tooling/conformance/${test}.test.ts`], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, NE_CONFORMANCE_UPDATE: '1' },
  });
  if (status !== 0) process.exit(status ?? 1);
}
