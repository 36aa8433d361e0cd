// Install, build, types, lint and all tests, TypeScript and Rust. The last line counts the tests.
import { bootstrap, pnpm, run } from './run.mjs';
import { runTests } from './test.mjs';

bootstrap();
run('types', [...pnpm, 'exec', 'turbo', 'run', 'typecheck', '--output-logs=errors-only'], { quiet: true });
run('lint TypeScript', [...pnpm, 'exec', 'biome', 'check', '.'], { quiet: true });
run('format Rust', ['cargo', 'fmt', '--manifest-path', 'rust-kernels/Cargo.toml', '--all', '--check'], { quiet: true });
run(
  'lint Rust',
  ['cargo', 'clippy', '--manifest-path', 'rust-kernels/Cargo.toml', '--workspace', '--all-targets', '--quiet', '--', '-D', 'warnings'],
  { quiet: true },
);
if (process.env.CI) {
  const fuzz = ['node', '--import', 'tsx', '--conditions=source', 'packages/onnx/scripts/fuzz.ts'];
  run('fuzz the ONNX parser and checker for 60 s', [...fuzz, '--seconds', '60']);
  run('fuzz finds a planted defect', [...fuzz, '--seconds', '20', '--plant'], { quiet: true });
}
process.exit(runTests());
