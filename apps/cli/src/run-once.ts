import { load } from '@neural-engine/engine';
import { embeddingsOf } from './embeddings';
import { Outputs } from './outputs';
import { readTensors, tensorsToFile, tensorsToJson } from './tensor-files';

/** Runs a model once. @returns JSON when no output file is named. */
export async function runOnce(
  model: string,
  input: string,
  options: { output?: string; threads?: number; embeddings?: string; force: boolean },
): Promise<string | undefined> {
  const how = embeddingsOf(options.embeddings);
  using outputs = await Outputs.claim([{ flag: '--output', path: options.output }], [model, input], options.force);
  const loaded = await load(model, how);
  const feeds = await readTensors(input, loaded.inputs);
  const session = await loaded.session(options.threads === undefined ? {} : { threads: options.threads });
  try {
    const results = await session.run(feeds);
    const { output } = options;
    if (output === undefined) return tensorsToJson(results);
    await outputs.save(output, () => tensorsToFile(output, results));
    return undefined;
  } finally {
    await session.close();
  }
}
