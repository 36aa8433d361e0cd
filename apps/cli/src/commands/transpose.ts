import type { Command } from 'commander';
import { consoleIo, formatOf, printTable } from '../context';
import { modelPath } from '../model-argument';
import type { TransposeFlags } from '../transpose';

interface Flags extends TransposeFlags {
  format: string;
  json?: boolean;
}

export function registerTranspose(program: Command): void {
  program
    .command('transpose [model]')
    .description('the transposed sparse IR: sparse int8 products become W·Xᵀ, with Reorders where layouts meet')
    .requiredOption('-o, --output <folder>', 'where to save the IR')
    .option('--threshold <ratio>', 'zero ratio from which a product is transposed', '0.7')
    .option('--include <nodes>', 'products to transpose however few zeros they have, separated by commas; * matches anything')
    .option('--exclude <nodes>', 'products to leave alone')
    .option('--original', "write the original's dialect, so that its tools load the result")
    .option('--pattern-switch <file>', 'YAML file that turns passes on or off')
    .option('--force', 'replace what is there')
    .option('--format <form>', 'of the decisions: text, md, json, jsonl or csv', 'text')
    .option('--json', 'the same as --format json')
    .action(async (model: string | undefined, flags: Flags) => {
      const form = formatOf({ output: flags.format, ...(flags.json ? { json: true } : {}) });
      const { transposeToIr, TRANSPOSE_COLUMNS } = await import('../transpose');
      const { rows, notes } = await transposeToIr(modelPath(model), flags);
      printTable(consoleIo, form, TRANSPOSE_COLUMNS, rows, { schema: 'transpose' });
      for (const note of notes) consoleIo.err(`${note}\n`);
    });
}
