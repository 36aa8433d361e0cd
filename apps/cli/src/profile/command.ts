import { load } from '@neural-engine/engine';
import { embeddingsOf } from '../embeddings';
import { Outputs } from '../outputs';
import { sparsePolicy } from '../sparse';
import { tuneOf } from '../tune';
import { originalCsv } from './original-csv';
import { profilePage } from './page';
import { type ProfileOptions, type ProfileResult, profileSession } from './profile';
import { chromeTrace } from './trace';

export interface ProfileFiles {
  readonly csv?: string;
  readonly trace?: string;
  readonly html?: string;
  readonly force?: boolean;
}

/** Profiles a model and writes what is asked for. */
export async function profileCommand(title: string, options: ProfileOptions & ProfileFiles): Promise<ProfileResult> {
  const { csv, trace, html, force } = options;
  const wanted = Object.entries({ csv, trace, html }).map(([flag, path]) => ({ flag: `--${flag}`, path }));
  using outputs = await Outputs.claim(wanted, [options.model], force);
  const model = await load(options.model, {
    ...(options.sparse ? { sparse: sparsePolicy(options.sparse) } : {}),
    ...embeddingsOf(options.embeddings),
    ...tuneOf(options.tune),
  });
  const session = await model.session(options.threads === undefined ? {} : { threads: options.threads });
  try {
    const result = await profileSession(model, session, options);
    await outputs.save(csv, () => originalCsv(model, result));
    await outputs.save(trace, () => chromeTrace(result.runs, result.work));
    await outputs.save(html, () => profilePage(title, result));
    return result;
  } finally {
    await session.close();
  }
}
