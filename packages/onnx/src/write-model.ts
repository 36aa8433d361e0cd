import { unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AtomicFile, exists, OutputLock, refuseExisting, saveFailure, underLock } from '@neural-engine/core';
import { checkModel } from './check/model';
import { encodeChunks } from './encode/model';
import { checkDataName, defaultDataName, placeTensors, writeTensors } from './save/external-data';
import { oldData } from './save/old-data';
import type { OnnxModel } from './types';

export interface WriteOptions {
  /** Puts large initializers into a second file beside the model. */
  externalData?: {
    /**
     * The name of that file. By default the model's name and the digest of the data: then replacing a model is
     * atomic too, because old and new data never share a name. With a name of your own, a crash between the two renames
     * of a replacement leaves the old model with the new data.
     */
    location?: string;
    /** Initializers of at least so many bytes move out. Default 1024. */
    thresholdBytes?: number;
  };
  /** Replaces existing files. The old ones stay whole until the new ones are complete. */
  force?: boolean;
  /** A lock that the caller holds on the path; else one is taken for as long as saving lasts. */
  lock?: OutputLock;
}

/** What was written. */
export interface WrittenModel {
  path: string;
  bytes: number;
  data?: { path: string; bytes: number };
}

const DEFAULT_THRESHOLD_BYTES = 1024;

/**
 * Checks a model and writes it to `path`, completely or not at all. Names inside the model, such as the locations of
 * external tensors that were read, have no say in where anything is written.
 *
 * @throws {EngineError} as {@link checkModel}; E_CANTCREAT the path is taken (without `force`) or cannot be created;
 *   E_LOCKED another run writes it; E_SPACE; E_IO; E_LIMIT above 2 GiB without `externalData`. On failure nothing is left behind and an old file stays.
 */
export async function writeModel(model: OnnxModel, path: string, options: WriteOptions = {}): Promise<WrittenModel> {
  const { externalData } = options;
  if (externalData?.location !== undefined) checkDataName(externalData.location, basename(path));
  checkModel(model);
  return underLock(path, 'file', options.lock, (lock) => writeLocked(model, path, options, lock));
}

async function writeLocked(
  model: OnnxModel,
  path: string,
  { externalData, force = false }: WriteOptions,
  lock: OutputLock,
): Promise<WrittenModel> {
  if (!force) await refuseExisting(path);
  // Data under a name of the caller's could be another model's too.
  using _ = externalData?.location === undefined ? undefined : OutputLock.take(join(dirname(path), externalData.location));
  const data = externalData === undefined ? undefined : await writeData(model, path, externalData, force, lock);
  const replaced = force && data !== undefined && externalData?.location === undefined ? await oldData(path) : [];
  let file: AtomicFile | undefined;
  try {
    const chunks = encodeChunks(model, (tensor) => {
      const place = data?.places.get(tensor);
      return place === undefined ? undefined : { location: data!.name, ...place };
    });
    file = await AtomicFile.create(lock);
    for (const chunk of chunks) await file.write(chunk);
    await file.finish();
    await data?.commit();
    await file.commit(path, force);
  } catch (error) {
    await file?.discard();
    // A model that has its name needs its data, even if the name may not survive a power cut.
    if (!file?.isNamed) await data?.rollBack();
    throw saveFailure(error, path);
  }
  for (const name of replaced) if (name !== data?.name) await unlink(join(dirname(path), name)).catch(() => undefined);
  return { path, bytes: file.size, ...(data === undefined ? {} : { data: { path: data.path, bytes: data.bytes } }) };
}

/** Writes the data file under a temporary name; `commit` names it, `rollBack` undoes that. */
async function writeData(
  model: OnnxModel,
  path: string,
  options: NonNullable<WriteOptions['externalData']>,
  force: boolean,
  lock: OutputLock,
) {
  const places = placeTensors(model, options.thresholdBytes ?? DEFAULT_THRESHOLD_BYTES);
  const folder = dirname(path);
  const given = options.location === undefined ? undefined : join(folder, options.location);
  if (given !== undefined && !force) await refuseExisting(given);
  const file = await AtomicFile.create(lock);
  try {
    const digest = await writeTensors(places, file);
    await file.finish();
    const name = options.location ?? defaultDataName(path, digest);
    const target = join(folder, name);
    const wasThere = await exists(target);
    // A file that is named after this very content may be replaced by it.
    const replace = force || given === undefined;
    return {
      places,
      name,
      path: target,
      bytes: file.size,
      commit: () => file.commit(target, replace),
      async rollBack(): Promise<void> {
        await file.discard();
        if (file.isNamed && !wasThere) await unlink(target).catch(() => undefined);
      },
    };
  } catch (error) {
    await file.discard();
    throw saveFailure(error, given ?? path);
  }
}
