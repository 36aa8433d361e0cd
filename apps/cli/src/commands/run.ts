import type { Command } from 'commander';
import { consoleIo, positiveInteger } from '../context';
import { EMBEDDINGS_OPTION } from '../embeddings';
import { modelPath } from '../model-argument';

interface Flags {
  input: string;
  output?: string;
  threads?: string;
  embeddings: string;
  force?: boolean;
}

export function registerRun(program: Command): void {
  program
    .command('run [model]')
    .description('one inference on given tensors')
    .requiredOption('-i, --input <file>', 'inputs by name: .npz, or JSON { name: nested numbers }')
    .option('-o, --output <file>', 'where to put the outputs: .npz or .json; default: JSON on stdout')
    .option('--threads <n>', 'threads')
    .option(...EMBEDDINGS_OPTION)
    .option('--force', 'replace the output file')
    .action(async (model: string | undefined, flags: Flags) => {
      const { runOnce } = await import('../run-once');
      const text = await runOnce(modelPath(model), flags.input, {
        ...(flags.output ? { output: flags.output } : {}),
        ...(flags.threads ? { threads: positiveInteger('--threads', flags.threads, 1024) } : {}),
        embeddings: flags.embeddings,
        force: flags.force ?? false,
      });
      if (text !== undefined) consoleIo.out(`${text}\n`);
    });
}
