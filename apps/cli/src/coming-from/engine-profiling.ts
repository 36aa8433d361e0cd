import { join } from 'node:path';
import { saveFile } from '@neural-engine/core';
import type { Feeds, LoadedModel, Session } from '@neural-engine/engine';
import { makeFolder } from '../files';
import { originalCsv } from '../profile/original-csv';
import { profileFeeds } from '../profile/profile';
import { chromeTrace } from '../profile/trace';

/** Writes what ENGINE_PROFILING wrote, where it wrote it: a CSV and a trace below `./engine_profiling`. @returns the files. */
export async function writeOriginalProfile(session: Session, model: LoadedModel, feeds: Feeds): Promise<string[]> {
  const result = await profileFeeds(model, session, feeds, { batch: 0, seqLen: 0, iterations: 5, warmup: 1 });
  const name = `profiling_${new Date().toISOString().slice(0, 19).replaceAll(/[T:]/g, '-')}_${process.pid}`;
  const write = async (folder: string, file: string, text: string): Promise<string> => {
    const directory = join('engine_profiling', folder);
    makeFolder(directory);
    await saveFile(join(directory, file), text, { force: true });
    return join(directory, file);
  };
  return [
    await write('profiling_csv', `${name}.csv`, originalCsv(model, result)),
    await write('profiling_trace', `${name}.json`, chromeTrace(result.runs, result.work)),
  ];
}
