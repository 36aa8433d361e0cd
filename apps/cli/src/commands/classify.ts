import type { Command } from 'commander';
import { consoleIo, formatOf, type OutputFlags, positiveInteger, printTable } from '../context';
import { EMBEDDINGS_OPTION } from '../embeddings';
import type { TextFlags } from '../texts';

interface Flags extends OutputFlags, TextFlags {
  topK: string;
}

export function registerClassify(program: Command): void {
  program
    .command('classify <model> [texts...]')
    .description('classes of texts with their scores')
    .option(
      '-i, --input <file>',
      'texts from a file: one a line of .txt, or the columns of tsv, csv, json, jsonl; "-" reads lines from stdin',
    )
    .option('--pair <text>', 'the second text of a pair, for one text')
    .option('-k, --top-k <n>', 'classes to print for each text', '1')
    .option('--tokenizer <path>', 'tokenizer folder or file; default: beside the model')
    .option('-b, --batch-size <n>', 'texts in a run', '16')
    .option('-t, --threads <n>', 'threads')
    .option(...EMBEDDINGS_OPTION)
    .option('-o, --output <form>', 'text, md, json, jsonl or csv', 'text')
    .option('--json', 'the same as --output json')
    .action(async (model: string, texts: string[], flags: Flags) => {
      const { classify, CLASSIFY_COLUMNS } = await import('../texts');
      const format = formatOf(flags);
      const rows = await classify(model, texts, { ...flags, topK: positiveInteger('--top-k', flags.topK, 100_000) });
      printTable(consoleIo, format, CLASSIFY_COLUMNS, rows, { schema: 'classify' });
    });
}
