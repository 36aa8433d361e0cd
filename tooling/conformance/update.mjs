// Runs the ONNX backend tests and adds what passes to pass-list.txt. Nothing is taken off the list: a listed test that no longer
// passes is a fault to mend.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'tooling/conformance/conformance.test.ts'], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, NE_CONFORMANCE_UPDATE: '1' },
});
process.exit(status ?? 1);
