import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineError } from '@neural-engine/core';
import { isa } from '@neural-engine/kernels';
import type { SectionSpec } from './context';
import { machine } from './goals';
import type { Section } from './record';

const script = fileURLToPath(new URL('./run-section.ts', import.meta.url));

/** The command that binds what follows to one core, empty where there is none. */
function pin(): string[] {
  if (spawnSync('taskset', ['--version']).status !== 0) {
    process.stderr.write('taskset is not installed: nothing is pinned\n');
    return [];
  }
  // The last core: the first is where systems put their own work.
  return ['taskset', '-c', String(isa().physicalCpus.at(-1) ?? 0)];
}

/**
 * One process of a section. Each has its own, so that memory, pinning and the tier of one do not touch the next.
 *
 * @throws {EngineError} E_INTERNAL the process failed; what it said stands on stderr.
 */
export async function runInChild(spec: SectionSpec, run: number, options: { folder: string; quick: boolean }): Promise<Section[]> {
  const { pinned, env } = spec.runs[run]!;
  const result = join(options.folder, `${spec.name}-${run}.json`);
  const node = [process.execPath, '--conditions=source', '--import', 'tsx', script];
  const [command, ...args] = [...(pinned ? pin() : []), ...node, spec.name, String(run), options.folder, String(options.quick), result];
  const status = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(command!, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, NE_BENCH_MACHINE: machine(), ...env },
    });
    child.on('error', reject);
    child.on('exit', resolve);
  });
  if (status !== 0) throw new EngineError('E_INTERNAL', 'run', `section ${spec.name} failed (exit status ${status})`);
  return JSON.parse(readFileSync(result, 'utf8')) as Section[];
}
