import type { Command } from 'commander';
import { consoleIo, formatOf, type OutputFlags, printTable } from '../context';
import { modelPath, modelTitle } from '../model-argument';
import { TUNE_OPTION } from '../tune';

interface Flags extends OutputFlags {
  sparse: string;
  threshold: string;
  tune?: string;
  html?: string;
  force?: boolean;
}

export function registerSparsity(program: Command): void {
  program
    .command('sparsity [model]')
    .description('where the zeros are: zero ratios by block shape, the kernel that each weight runs on here and why, the gain to expect')
    .option('--sparse <policy>', 'auto, threshold, always or never', 'auto')
    .option('--threshold <ratio>', 'zero ratio for the policy threshold', '0.7')
    .option(...TUNE_OPTION)
    .option('--html <file>', 'write a heat map of each weight to a self-contained page')
    .option('--force', 'replace files that are there')
    .option('-o, --output <form>', 'text, md, json, jsonl or csv', 'text')
    .option('--json', 'the same as --output json')
    .action(async (model: string | undefined, flags: Flags) => {
      const { sparsityReport, SPARSITY_COLUMNS } = await import('../sparsity');
      const { rows, notes } = await sparsityReport(modelPath(model), flags, modelTitle(model));
      printTable(consoleIo, formatOf(flags), SPARSITY_COLUMNS, rows, { schema: 'sparsity' });
      for (const note of notes) consoleIo.err(`${note}\n`);
    });
}
