// Install, build, types, lint and all tests, TypeScript and Rust. The last line counts the tests.
import { join } from 'node:path';
import { bootstrap, pnpm, root, run } from './run.mjs';
import { runTests } from './test.mjs';

const cargo = (...args) => ['cargo', args[0], '--manifest-path', 'rust-kernels/Cargo.toml', ...args.slice(1)];

await bootstrap();
const sources = async () => {
  await run('types', [...pnpm, 'run', '--silent', 'typecheck'], { quiet: true });
  await run('lint TypeScript', [...pnpm, 'exec', 'biome', 'check', '.'], { quiet: true });
  await run('format Rust', cargo('fmt', '--all', '--check'), { quiet: true });
};
const compile = async () => {
  await run('lint Rust', cargo('clippy', '--workspace', '--all-targets', '--quiet', '--', '-D', 'warnings'), { quiet: true });
  // What is compiled for processors other than x86 is at least type-checked on every machine.
  const wrapper = join(root, 'rust-kernels/scripts/portable-rustc.sh');
  const other = cargo('check', '-p', 'neural-engine-binding', '--quiet');
  await run('compile Rust without x86 code', other, { quiet: true, env: { RUSTC_WORKSPACE_WRAPPER: wrapper } });
  await run('compile Rust tests', cargo('test', '--workspace', '--no-run', '--quiet'), { quiet: true });
};
const fuzz = async () => {
  const command = ['node', '--import', 'tsx', '--conditions=source', 'packages/onnx/scripts/fuzz.ts'];
  await run('fuzz the ONNX parser and checker for 60 s', [...command, '--seconds', '60'], { quiet: true });
  await run("each command of the original's README", ['node', 'tooling/original-readme.mjs', '--fast'], { quiet: true });
  await run('fuzz finds a planted defect', [...command, '--seconds', '20', '--plant'], { quiet: true });
};
// What is wrong with the sources is soon known; the compiler of Rust is busy for minutes and leaves cores idle.
await Promise.all([sources().then(() => (process.env.CI ? fuzz() : undefined)), compile()]);
process.exit(await runTests());
