import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { EngineError } from '@neural-engine/core';
import { ABI, isa } from '@neural-engine/kernels';
import { type ModelOptions, tuningOf } from '@neural-engine/runtime';
import { DEFAULT_THRESHOLD } from '@neural-engine/sparsity';

/** Where packed weights are kept: `NE_CACHE_DIR`, else the user's cache folder; undefined when neither is known. */
export function cacheDirectory(): string | undefined {
  const given = process.env['NE_CACHE_DIR'];
  if (given) return resolve(given);
  const base =
    process.env['XDG_CACHE_HOME'] || (process.env['HOME'] || homedir() ? join(process.env['HOME'] || homedir(), '.cache') : undefined);
  return base ? join(base, 'neural-engine') : undefined;
}

/** What the cache may hold unless `NE_CACHE_BYTES` says otherwise. */
const CACHE_BYTES = 8 * 2 ** 30;

/** The most bytes that all packed files together may have. @throws {EngineError} E_USAGE `NE_CACHE_BYTES` is no number of bytes. */
export function cacheLimit(): number {
  const given = process.env['NE_CACHE_BYTES'];
  if (!given) return CACHE_BYTES;
  if (!/^\d{1,15}$/.test(given))
    throw new EngineError('E_USAGE', 'usage', `NE_CACHE_BYTES=${given}: expected a number of bytes`, { where: 'NE_CACHE_BYTES' });
  return Number(given);
}

/** Raised when compiling or preparing changes what a packed file holds. */
const COMPILER_FORM = 3;

/**
 * The packed file of model files under given options.
 *
 * Its name is made of each file's identity (device, inode, size, times) and of what its weights are packed for: the options, the tier, and
 * where ties are measured the CPU, which may choose otherwise than another of its tier. So a warm load reads none of the files; a copied or edited
 * file is simply packed anew.
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
  const tune = tuningOf(options.tune);
  const { sparse = 'auto', sparseThreshold = DEFAULT_THRESHOLD } = options;
  hash.update(
    `abi ${ABI} form ${COMPILER_FORM} tier ${isa().tier} sparse ${sparse} ${sparse === 'threshold' ? sparseThreshold : ''} ` +
      `embeddings ${options.embeddings ?? 'f32'} tune ${tune === 'on' ? isa().cpu : tune} ${options.variant ?? ''}`,
  );
  return join(directory, `${hash.digest('hex').slice(0, 32)}.neweights`);
}
