import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { ABI, isa } from '@neural-engine/kernels';
import type { ModelOptions } from '@neural-engine/runtime';

/** Where packed weights are kept: `NE_CACHE_DIR`, else the user's cache folder; undefined when neither is known. */
export function cacheDirectory(): string | undefined {
  const given = process.env['NE_CACHE_DIR'];
  if (given) return resolve(given);
  const base =
    process.env['XDG_CACHE_HOME'] || (process.env['HOME'] || homedir() ? join(process.env['HOME'] || homedir(), '.cache') : undefined);
  return base ? join(base, 'neural-engine') : undefined;
}

/** Raised when compiling or preparing changes what a packed file holds. */
const COMPILER_FORM = 2;

/**
 * The packed file of model files under given options.
 *
 * Its name is made of each file's identity (device, inode, size, times) and of what the CPU can do, which weights are packed for, so that a warm load reads none of them; a copied or edited file
 * is simply packed anew.
 */
export function packedFileFor(
  files: readonly string[],
  options: ModelOptions & { variant?: string },
  directory = cacheDirectory(),
): string | undefined {
  if (!directory) return undefined;
  const hash = createHash('sha256');
  for (const file of files) {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    hash.update(`${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}\0`);
  }
  hash.update(
    `abi ${ABI} form ${COMPILER_FORM} tier ${isa().tier} sparse ${options.sparse ?? 'auto'} ${options.sparseThreshold ?? ''} ` +
      `embeddings ${options.embeddings ?? 'f32'} ${options.variant ?? ''}`,
  );
  return join(directory, `${hash.digest('hex').slice(0, 32)}.pack`);
}
