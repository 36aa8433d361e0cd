import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
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

/** Packages whose code decides what a packed file holds. */
const MAKERS = ['core', 'onnx', 'ir', 'compiler', 'sparsity', 'transpose', 'runtime', 'kernels', 'engine'];

const builtAt = (file: string): string => {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats ? `${stats.size} ${stats.mtimeMs}` : '';
};

let made: string | undefined;

/**
 * Versions of the code that packs, so that what an older one packed is not taken for its own.
 *
 * In a checkout versions stay while the code changes, and in a bundle there are none: there the time of the build tells.
 */
export function madeBy(): string {
  if (made !== undefined) return made;
  const { resolve: find } = createRequire(import.meta.url);
  made = [
    ...MAKERS.map((name) => {
      try {
        const manifest = find(`@neural-engine/${name}/package.json`);
        const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
        return `${name} ${version} ${builtAt(join(dirname(manifest), 'dist', 'index.js'))}`;
      } catch {
        return `${name} bundled`;
      }
    }),
    builtAt(fileURLToPath(import.meta.url)),
  ].join();
  return made;
}

/** What tells a file from others and from what it was before, without reading it: device, inode, size and times. */
function identityOf(file: string): string {
  const stats = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stats ? `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}` : 'absent';
}

/**
 * What weights are packed from, and for: the identity of the model's files, the versions of the code that packs, the options, the tier, and
 * where ties are measured the CPU, which may choose otherwise than another of its tier. A warm load reads none of the files; a copied or
 * edited one is simply packed anew.
 */
export function packedKey(files: readonly string[], options: ModelOptions & { variant?: string }, makers = madeBy()): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${identityOf(file)}\0`);
  const tune = tuningOf(options.tune);
  const { sparse = 'auto', sparseThreshold = DEFAULT_THRESHOLD } = options;
  hash.update(
    `abi ${ABI} by ${makers} tier ${isa().tier} sparse ${sparse} ${sparse === 'threshold' ? sparseThreshold : ''} ` +
      `embeddings ${options.embeddings ?? 'f32'} tune ${tune === 'on' ? isa().cpu : tune} ${options.variant ?? ''}`,
  );
  return hash.digest('hex').slice(0, 32);
}

/** The packed file of a key. */
export const cachedFile = (key: string, directory: string): string => join(directory, `${key}.neweights`);

/**
 * What a packed file keeps of where it is from: the key, and the files of external data, which only reading the model tells, each with its
 * identity now.
 *
 * @param files relative to the folder of the model. None has a NUL in its name.
 */
export const originOf = (key: string, folder: string, files: readonly string[]): string =>
  [key, ...files.flatMap((file) => [file, identityOf(join(folder, file))])].join('\0');

/** Whether that is still where the packed weights are from. */
export function isFrom(origin: string, key: string, folder: string): boolean {
  const files = origin.split('\0').filter((_, i) => i % 2 === 1);
  return origin === originOf(key, folder, files);
}
