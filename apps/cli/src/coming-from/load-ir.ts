import { dirname, resolve } from 'node:path';
import { type LoadedModel, load, locate } from '@neural-engine/engine';
import { readIr } from '@neural-engine/ir';
import { readBytes, readText } from '../files';

/**
 * Loads an IR by its two files. They are usually the pair of one folder, which packs once and is mapped afterwards; any other pair is read.
 *
 * @throws {EngineError} E_NOT_FOUND, E_IR, E_IR_MISMATCH what is wrong with the files.
 */
export async function loadIr(config: string, weight: string): Promise<LoadedModel> {
  if (dirname(resolve(config)) === dirname(resolve(weight))) {
    const found = locate(dirname(resolve(config)));
    if (found.kind === 'ir' && found.config === resolve(config) && found.weights === resolve(weight)) return load(found.directory);
  }
  const [text, weights] = await Promise.all([readText(config), readBytes(weight)]);
  return load(await readIr({ config: text, weights }));
}
