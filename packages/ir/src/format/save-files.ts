import { existsSync } from 'node:fs';
import { link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { EngineError, type OutputLock, refuseExisting, saveFailure, syncFolder, underLock } from '@neural-engine/core';

export interface SaveOptions {
  /** Replace what is in the folder. */
  readonly force?: boolean;
  /** A lock that the caller holds on the folder; else one is taken for as long as saving lasts. */
  readonly lock?: OutputLock | undefined;
}

/** Weights under the name that the digest gives, while a new pair is being put in place of an old one. */
export const contentName = (digest: string): string => `model-${digest.slice(0, 32)}.bin`;

/**
 * Saves conf.yaml and model.bin so that, whatever happens at any moment, the folder holds the whole old pair or the whole new one.
 *
 * A new folder is filled beside its place and renamed into it. In an existing one the weights go first, under a name made of their digest;
 * the rename of conf.yaml is the commit; only then is `model.bin` replaced. A reader prefers the content name.
 * @throws {EngineError} E_CANTCREAT it exists (without `force`) or cannot be made; E_LOCKED another run writes it; E_SPACE the disk is full;
 *   E_IO a write or sync failed.
 */
export async function saveFiles(
  directory: string,
  config: string,
  weights: readonly Uint8Array[],
  digest: string,
  options: SaveOptions = {},
): Promise<void> {
  await underLock(directory, 'folder', options.lock, async (lock) => {
    if (!options.force) await refuseExisting(directory, 'folder');
    const made: string[] = [];
    const temporary = (): string => {
      made.push(lock.temporary());
      return made.at(-1)!;
    };
    try {
      await (existsSync(directory) ? replacePair : makeFolder)(resolve(directory), config, weights, digest, temporary);
    } catch (cause) {
      throw saveError(directory, cause);
    } finally {
      // After success they have other names, and nothing is there to remove.
      for (const path of made) {
        await rm(path, { recursive: true, force: true }).catch(() => undefined);
        lock.settled(path);
      }
    }
  });
}

type Save = (target: string, config: string, weights: readonly Uint8Array[], digest: string, temporary: () => string) => Promise<void>;

const makeFolder: Save = async (target, config, weights, _, temporary) => {
  const fresh = temporary();
  await mkdir(fresh);
  await writeSynced(join(fresh, 'model.bin'), weights);
  await writeSynced(join(fresh, 'conf.yaml'), [Buffer.from(config)]);
  await syncFolder(fresh);
  await rename(fresh, target);
  await syncFolder(dirname(target));
};

const replacePair: Save = async (target, config, weights, digest, temporary) => {
  const [bin, yaml] = [temporary(), temporary()];
  await writeSynced(bin, weights);
  const content = join(target, contentName(digest));
  await rename(bin, content);
  await writeSynced(yaml, [Buffer.from(config)]);
  await syncFolder(target);
  await rename(yaml, join(target, 'conf.yaml'));
  await syncFolder(target);
  // The new pair is in force. What follows only gives the weights the name that other tools expect.
  const alias = temporary();
  await link(content, alias);
  await rename(alias, join(target, 'model.bin'));
  await removeContent(target);
  await syncFolder(target);
};

async function writeSynced(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const file = await open(path, 'wx', 0o644);
  try {
    for (const part of parts) {
      // A write may take less than it is given; what is left must follow.
      for (let at = 0; at < part.byteLength; ) at += (await file.write(part, at, Math.min(part.byteLength - at, 1 << 30))).bytesWritten;
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Removes content-named weights that are model.bin under another name, or that no configuration uses any more. */
async function removeContent(directory: string): Promise<void> {
  for (const name of await readdir(directory)) if (/^model-[0-9a-f]{32}\.bin$/.test(name)) await rm(join(directory, name), { force: true });
}

function saveError(directory: string, cause: unknown): EngineError {
  if (EngineError.isInstance(cause)) return cause;
  const { code = 'unknown reason' } = cause as NodeJS.ErrnoException;
  // The folder above it was there when it was locked.
  const kind = code === 'ENOENT' ? 'E_IO' : saveFailure(cause, directory).code;
  return new EngineError(kind, 'save', `the IR could not be saved to "${directory}" (${code}); what was there before is untouched`, {
    where: directory,
    cause,
  });
}

/** The weights file that belongs to a configuration in a folder. */
export async function weightsFile(directory: string, digest: string | undefined): Promise<string> {
  if (digest) {
    const content = join(directory, contentName(digest));
    if (
      await stat(content).then(
        (found) => found.isFile(),
        () => false,
      )
    )
      return content;
  }
  const names = (await readdir(directory)).filter((name) => name.endsWith('.bin'));
  return join(directory, names.includes('model.bin') || names.length !== 1 ? 'model.bin' : names[0]!);
}
