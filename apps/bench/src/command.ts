import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { EngineError } from '@neural-engine/core';

const main = new URL('../../cli/src/main.ts', import.meta.url).href;

/**
 * Runs `ne` from its sources in a process of its own.
 *
 * @returns what it printed as JSON.
 * @throws {EngineError} E_INTERNAL the command failed; what it said last is in the message.
 */
export async function ne(args: readonly string[]): Promise<Record<string, unknown>> {
  const program = `import { run } from ${JSON.stringify(main)}; await run(${JSON.stringify([...args, '--json'])});`;
  const conditions = ['--conditions=source', '--import', import.meta.resolve('tsx')];
  const child = spawn(process.execPath, [...conditions, '--input-type=module', '-e', program], {
    cwd: fileURLToPath(new URL('../../cli', import.meta.url)),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err = `${err}${chunk}`.slice(-2000);
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (status !== 0) throw new EngineError('E_INTERNAL', 'run', `ne ${args.join(' ')} ended with ${status}: ${err.trim()}`);
  return JSON.parse(out) as Record<string, unknown>;
}
