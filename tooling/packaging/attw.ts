import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './workspace';

/** The part of @arethetypeswrong/core that is used here; only its command-line tool is a dependency of the workspace. */
interface AttwCore {
  createPackageFromTarballData(tarball: Uint8Array): unknown;
  checkPackage(
    source: unknown,
  ): Promise<{ types: unknown; problems?: readonly { kind: string; entrypoint?: string; resolutionKind?: string }[] }>;
}

/**
 * What a TypeScript user of a tarball would find wrong, under each module resolution from node10 to bundler.
 *
 * @returns one line a problem; none when its declarations are right.
 */
export async function typeProblems(tarball: string): Promise<string[]> {
  const cli = createRequire(join(root, 'package.json')).resolve('@arethetypeswrong/cli/package.json');
  const core = (await import(createRequire(cli).resolve('@arethetypeswrong/core'))) as AttwCore;
  const { types, problems = [] } = await core.checkPackage(core.createPackageFromTarballData(new Uint8Array(readFileSync(tarball))));
  if (!types) return ['no declarations'];
  return problems.map(({ kind, entrypoint = '', resolutionKind = '' }) => [kind, entrypoint, resolutionKind].join(' ').trim());
}
