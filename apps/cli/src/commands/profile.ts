import type { Command } from 'commander';
import { consoleIo, formatOf, type OutputFlags, positiveInteger, printTable } from '../context';
import { EMBEDDINGS_OPTION } from '../embeddings';
import { modelPath, modelTitle } from '../model-argument';
import { TUNE_OPTION } from '../tune';

interface Flags extends OutputFlags {
  batchSize: string;
  seqLen: string;
  threads?: string;
  iterations: string;
  sparse?: string;
  tune?: string;
  embeddings: string;
  csv?: string;
  trace?: string;
  html?: string;
  force?: boolean;
}

export function registerProfile(program: Command): void {
  program
    .command('profile [model]')
    .description('where the time goes: layers, kernels, waiting; what more zeros would bring')
    .option('-b, --batch-size <n>', 'sequences in a run', '1')
    .option('-s, --seq-len <n>', 'tokens of each sequence', '128')
    .option('-t, --threads <n>', 'threads; default: all cores')
    .option('-i, --iterations <n>', 'runs that are profiled', '20')
    .option('--sparse <policy>', 'auto, threshold, always or never')
    .option(...EMBEDDINGS_OPTION)
    .option(...TUNE_OPTION)
    .option('--csv <file>', "the original's profile: its three parts and columns")
    .option('--trace <file>', 'a Chrome trace, for https://ui.perfetto.dev')
    .option('--html <file>', 'a page')
    .option('--force', 'replace files that are there')
    .option('-o, --output <form>', 'text, md, json, jsonl or csv', 'text')
    .option('--json', 'the same as --output json')
    .action(async (model: string | undefined, flags: Flags) => {
      const { profileCommand } = await import('../profile/command');
      const { PROFILE_COLUMNS } = await import('../profile/profile');
      const form = formatOf(flags);
      const iterations = positiveInteger('--iterations', flags.iterations, 10_000);
      const { rows, facts } = await profileCommand(modelTitle(model), {
        model: modelPath(model),
        batch: positiveInteger('--batch-size', flags.batchSize),
        seqLen: positiveInteger('--seq-len', flags.seqLen),
        iterations,
        warmup: Math.max(3, Math.ceil(iterations / 10)),
        ...(flags.threads ? { threads: positiveInteger('--threads', flags.threads, 1024) } : {}),
        ...(flags.sparse ? { sparse: flags.sparse } : {}),
        embeddings: flags.embeddings,
        ...(flags.tune ? { tune: flags.tune } : {}),
        force: flags.force ?? false,
        ...(flags.csv ? { csv: flags.csv } : {}),
        ...(flags.trace ? { trace: flags.trace } : {}),
        ...(flags.html ? { html: flags.html } : {}),
      });
      printTable(consoleIo, form, PROFILE_COLUMNS, rows, facts);
      consoleIo.err(
        `${facts.wallMs.toFixed(3)} ms a run, ${facts.unprofiledMs.toFixed(3)} ms without profiling; columns "ms at" are estimates\n`,
      );
    });
}
