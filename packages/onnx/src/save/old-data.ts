import { lstat, readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { readModel } from '../read-model';

/**
 * The data files, by name, that a save under a default name left for the model at `path`, and that go with it when it is replaced.
 *
 * Only what that model itself names: a file that is called alike may be the data of a model that was moved. Of what cannot be read, nothing
 * is known, and of a link only the link is replaced.
 */
export async function oldData(path: string): Promise<string[]> {
  try {
    const names = (await readdir(dirname(path))).filter((name) => isDefaultName(name, basename(path)));
    if (names.length === 0 || !(await lstat(path)).isFile()) return [];
    const { initializers } = (await readModel(path)).graph;
    const named = new Set([...initializers.values()].map(({ external }) => external?.location));
    return names.filter((name) => named.has(name));
  } catch {
    return [];
  }
}

const isDefaultName = (name: string, model: string): boolean =>
  name.startsWith(`${model}-`) && /^[0-9a-f]{16}\.data$/.test(name.slice(model.length + 1));
