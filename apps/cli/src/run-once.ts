import { load } from '@neural-engine/engine';
import { readTensors, tensorsToJson, writeTensors } from './tensor-files';

/** Runs a model once. @returns JSON when no output file is named. */
export async function runOnce(
  model: string,
  input: string,
  options: { output?: string; threads?: number; force: boolean },
): Promise<string | undefined> {
  const loaded = await load(model);
  const feeds = await readTensors(input, loaded.inputs);
  const session = await loaded.session(options.threads === undefined ? {} : { threads: options.threads });
  try {
    const outputs = await session.run(feeds);
    if (!options.output) return tensorsToJson(outputs);
    await writeTensors(options.output, outputs, options.force);
    return undefined;
  } finally {
    await session.close();
  }
}
