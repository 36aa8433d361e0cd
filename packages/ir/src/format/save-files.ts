import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { EngineError } from '@neural-engine/core';

const TEMPORARY = /^\.(\d+)-[0-9a-f]{12}\.(?:yaml|bin|dir)\.tmp$/;

/** A name no other writer uses; the process id in it tells a later writer whether its maker is still alive. */
const temporary = (suffix: string): string => `.${process.pid}-${randomBytes(6).toString('hex')}.${suffix}.tmp`;

/** Weights under the name that the digest gives, while a new pair is being put in place of an old one. */
export const contentName = (digest: string): string => `model-${digest.slice(0, 32)}.bin`;

/**
 * Saves conf.yaml and model.bin so that, whatever happens at any moment, the folder holds the whole old pair or the whole new one.
 *
 * A new folder is filled beside its place and renamed into it. In an existing one the weights go first, under a name made of their digest;
 * the rename of conf.yaml is the commit; only then is `model.bin` replaced. A reader prefers the content name.
 * @throws {EngineError} E_CANTCREAT it exists (without `force`) or cannot be made; E_SPACE the disk is full; E_IO a write or sync failed.
 */
export async function saveFiles(
  directory: string,
  config: string,
  weights: readonly Uint8Array[],
  digest: string,
  force: boolean,
): Promise<void> {
  const target = resolve(directory);
  const isThere = existsSync(target);
  if (isThere && (await readdir(target).catch(() => ['?'])).length > 0 && !force) {
    throw new EngineError('E_CANTCREAT', 'save', `"${directory}" exists and is not empty; force replaces what is there`, {
      where: directory,
    });
  }
  const made: string[] = [];
  try {
    await mkdir(dirname(target), { recursive: true });
    if (!isThere) {
      const fresh = join(dirname(target), temporary('dir'));
      await mkdir(fresh);
      made.push(fresh);
      await writeSynced(join(fresh, 'model.bin'), weights);
      await writeSynced(join(fresh, 'conf.yaml'), [Buffer.from(config)]);
      await syncDirectory(fresh);
      await rename(fresh, target);
      await syncDirectory(dirname(target));
      return;
    }
    await removeOrphans(target);
    const [bin, yaml] = [join(target, temporary('bin')), join(target, temporary('yaml'))];
    made.push(bin, yaml);
    await writeSynced(bin, weights);
    const content = join(target, contentName(digest));
    await rename(bin, content);
    await writeSynced(yaml, [Buffer.from(config)]);
    await syncDirectory(target);
    await rename(yaml, join(target, 'conf.yaml'));
    await syncDirectory(target);
    // The new pair is in force. What follows only gives the weights the name that other tools expect.
    const alias = join(target, temporary('bin'));
    made.push(alias);
    await link(content, alias);
    await rename(alias, join(target, 'model.bin'));
    await removeContent(target);
    await syncDirectory(target);
  } catch (cause) {
    for (const path of made) await rm(path, { recursive: true, force: true }).catch(() => undefined);
    throw saveError(directory, cause);
  }
}

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

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Removes what writers left that no longer live. */
async function removeOrphans(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const owner = TEMPORARY.exec(basename(name))?.[1];
    if (owner && Number(owner) !== process.pid && !isAlive(Number(owner)))
      await rm(join(directory, name), { recursive: true, force: true });
  }
}

/** Removes content-named weights that are model.bin under another name, or that no configuration uses any more. */
async function removeContent(directory: string): Promise<void> {
  for (const name of await readdir(directory)) if (/^model-[0-9a-f]{32}\.bin$/.test(name)) await rm(join(directory, name), { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function saveError(directory: string, cause: unknown): EngineError {
  if (EngineError.isInstance(cause)) return cause;
  const { code = 'unknown reason' } = cause as NodeJS.ErrnoException;
  const known = {
    ENOSPC: 'E_SPACE',
    EDQUOT: 'E_SPACE',
    EFBIG: 'E_SPACE',
    EACCES: 'E_CANTCREAT',
    EROFS: 'E_CANTCREAT',
    ENOTDIR: 'E_CANTCREAT',
    ENAMETOOLONG: 'E_CANTCREAT',
    EEXIST: 'E_CANTCREAT',
  } as const;
  return new EngineError(
    known[code as keyof typeof known] ?? 'E_IO',
    'save',
    `the IR could not be saved to "${directory}" (${code}); what was there before is untouched`,
    { where: directory, cause },
  );
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
