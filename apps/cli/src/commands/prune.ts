import type { Command } from 'commander';
import { consoleIo, formatOf, printTable } from '../context';
import { modelPath } from '../model-argument';
import type { PruneFlags } from '../prune';

interface Flags extends PruneFlags {
  format: string;
  json?: boolean;
}

export function registerPrune(program: Command): void {
  program
    .command('prune [model]')
    .description('set the least important blocks of the weights of an ONNX model to zero, once; does not replace training')
    .requiredOption('-o, --output <file>', 'where to save the pruned model, an .onnx file')
    .option('--block <shape>', 'output channels × inputs that go together', '4x1')
    .option('--sparsity <ratio>', 'zero ratio of each weight afterwards', '0.8')
    .option(
      '-c, --calibration [file]',
      'weigh by what inputs do on these questions (SQuAD JSON; without a file, what ships with the embedded model)',
    )
    .option('-n, --samples <n>', 'samples to run for that', '64')
    .option('--keep <nodes>', 'products to leave alone, separated by commas')
    .option('-d, --data <file>', 'SQuAD v1.1 JSON to measure the accuracy before and after')
    .option('--limit <n>', 'questions to ask at most')
    .option('--tokenizer <path>', 'tokenizer folder or file; default: beside the model')
    .option('-t, --threads <n>', 'threads')
    .option('--force', 'replace what is there')
    .option('--format <form>', 'of the table: text, md, json, jsonl or csv', 'text')
    .option('--json', 'the same as --format json')
    .action(async (model: string | undefined, flags: Flags) => {
      const form = formatOf({ output: flags.format, ...(flags.json ? { json: true } : {}) });
      const { pruneToOnnx, PRUNE_COLUMNS } = await import('../prune');
      const { rows, notes, accuracy } = await pruneToOnnx(modelPath(model), flags);
      printTable(consoleIo, form, PRUNE_COLUMNS, rows, { schema: 'prune', accuracy });
      for (const note of notes) consoleIo.err(`${note}\n`);
    });
}
