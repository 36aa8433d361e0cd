// Installs, builds, and runs the main job on the embedded model.
import { bootstrap, pnpm, run } from './run.mjs';

await bootstrap();
await run('demo', [...pnpm, 'ne', 'pipeline']);
