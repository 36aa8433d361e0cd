// A release to a registry on the loopback address, and what strangers then install from it: all but publishing for everyone.
import { bootstrap, pnpm, run } from '../run.mjs';

await bootstrap();
await run('release', [...pnpm, 'exec', 'vitest', 'run', 'tooling/release/release.test.ts', '--reporter=verbose']);
