import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One ONNX backend test: a model and sets of inputs with the outputs that they must give. */
export interface Case {
  /** Folder of the suite and of the test, such as `node/test_abs`. */
  readonly name: string;
  readonly directory: string;
}

const SUITES = ['node', 'simple'] as const;

/** The folder of ONNX's backend tests, or undefined where the data is absent. `NE_SHARED` names the folder that holds `data`. */
export function backendFolder(): string | undefined {
  const shared = process.env['NE_SHARED'] ?? fileURLToPath(new URL('../../../shared', import.meta.url));
  const folder = join(shared, 'data/onnx/onnx-backend-v1.22.0');
  return existsSync(folder) ? folder : undefined;
}

/** Every test of the suites, in order of their names. */
export function listCases(folder: string): Case[] {
  return SUITES.flatMap((suite) =>
    readdirSync(join(folder, suite))
      .sort()
      .map((test) => ({ name: `${suite}/${test}`, directory: join(folder, suite, test) })),
  );
}

/** The model's bytes. */
export const modelBytes = ({ directory }: Case): Uint8Array => readFileSync(join(directory, 'model.onnx'));

/** The bytes of the input and output files of each data set, in order. */
export function dataSets({ directory }: Case): { inputs: Uint8Array[]; outputs: Uint8Array[] }[] {
  const sets = readdirSync(directory).filter((name) => name.startsWith('test_data_set_'));
  return sets.sort().map((set) => {
    const files = readdirSync(join(directory, set));
    const read = (prefix: string): Uint8Array[] =>
      files
        .filter((file) => file.startsWith(prefix))
        .sort((a, b) => position(a) - position(b))
        .map((file) => readFileSync(join(directory, set, file)));
    return { inputs: read('input_'), outputs: read('output_') };
  });
}

const position = (file: string): number => Number(/_(\d+)\.pb$/.exec(file)?.[1]);
