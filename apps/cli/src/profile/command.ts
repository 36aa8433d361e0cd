import { writeFile } from 'node:fs/promises';
import { EngineError } from '@neural-engine/core';
import { load } from '@neural-engine/engine';
import { sparsePolicy } from '../bench/options';
import { originalCsv } from './original-csv';
import { profilePage } from './page';
import { type ProfileOptions, type ProfileResult, profileSession } from './profile';
import { chromeTrace } from './trace';

export interface ProfileFiles {
  readonly csv?: string;
  readonly trace?: string;
  readonly html?: string;
}

/** Profiles a model and writes what is asked for. */
export async function profileCommand(title: string, options: ProfileOptions & ProfileFiles): Promise<ProfileResult> {
  const model = await load(options.model, options.sparse ? { sparse: sparsePolicy(options.sparse) } : {});
  const session = await model.session(options.threads === undefined ? {} : { threads: options.threads });
  try {
    const result = await profileSession(model, session, options);
    if (options.csv) await write(options.csv, originalCsv(model, result));
    if (options.trace) await write(options.trace, chromeTrace(result.runs, result.work));
    if (options.html) await write(options.html, profilePage(title, result));
    return result;
  } finally {
    await session.close();
  }
}

const write = (path: string, text: string): Promise<void> =>
  writeFile(path, text).catch((cause: NodeJS.ErrnoException) => {
    throw new EngineError('E_CANTCREAT', 'save', `"${path}" cannot be written: ${cause.code}`, { where: path, cause });
  });
