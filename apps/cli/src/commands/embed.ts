import type { Command } from 'commander';
import { consoleIo } from '../context';
import { EMBEDDINGS_OPTION } from '../embeddings';
import type { TextFlags } from '../texts';

interface Flags extends TextFlags {
  output?: string;
  pooling: string;
  normalize: boolean;
  force?: boolean;
}

export function registerEmbed(program: Command): void {
  program
    .command('embed <model> [texts...]')
    .description('embeddings of texts: a JSON line for each on stdout, or an .npz file')
    .option(
      '-i, --input <file>',
      'texts from a file: one a line of .txt, or the columns of tsv, csv, json, jsonl; "-" reads lines from stdin',
    )
    .option('--pair <text>', 'the second text of a pair, for one text')
    .option('-o, --output <file>', 'write { embeddings: f32 [texts, hidden] } to .npz or .json instead')
    .option('--pooling <kind>', 'mean over the tokens, or cls: the first one', 'mean')
    .option('--no-normalize', 'keep the length of each embedding')
    .option('--tokenizer <path>', 'tokenizer folder or file; default: beside the model')
    .option('-b, --batch-size <n>', 'texts in a run', '16')
    .option('-t, --threads <n>', 'threads')
    .option(...EMBEDDINGS_OPTION)
    .option('--force', 'replace the output file')
    .action(async (model: string, texts: string[], flags: Flags) => {
      const { embed } = await import('../texts');
      for (const line of await embed(model, texts, flags)) consoleIo.out(`${line}\n`);
    });
}
