import type { Command } from 'commander';
import { consoleIo, positiveInteger } from '../context';
import { EMBEDDINGS_OPTION } from '../embeddings';
import type { Evaluation } from '../evaluate';
import { modelPath } from '../model-argument';
import { ROUNDING_OPTION, roundingOf } from '../rounding';
import { TUNE_OPTION } from '../tune';

interface Flags {
  task: string;
  data?: string;
  limit?: string;
  batchSize: string;
  threads?: string;
  tokenizer?: string;
  sparse?: string;
  rounding?: string;
  tune?: string;
  embeddings: string;
  engine: string;
  predictions?: string;
  force?: boolean;
  onError: string;
  json?: boolean;
}

export function registerEval(program: Command): void {
  program
    .command('eval [model]')
    .description('accuracy on a data set: F1 and exact match on SQuAD; accuracy, F1 or correlation on GLUE')
    .option('--task <name>', 'squad, or a GLUE task: cola, sst2, mrpc, qqp, stsb, mnli, qnli, rte, wnli', 'squad')
    .option('-d, --data <file>', 'SQuAD v1.1 JSON, or a labelled tsv, csv, json or jsonl; default: the samples of the embedded model')
    .option('--limit <n>', 'examples at most')
    .option('-b, --batch-size <n>', 'windows in a run', '8')
    .option('-t, --threads <n>', 'threads')
    .option('--tokenizer <path>', 'tokenizer folder or file; default: beside the model')
    .option('--sparse <policy>', 'auto, threshold, always or never')
    .option(...EMBEDDINGS_OPTION)
    .option(...ROUNDING_OPTION)
    .option(...TUNE_OPTION)
    .option('-e, --engine <name>', 'neural-engine or onnxruntime', 'neural-engine')
    .option('--predictions <file>', "write what the model said: SQuAD's official format { id: answer }, or a list of classes")
    .option('--force', 'replace files that are there')
    .option('--on-error <policy>', 'fail on a bad record, or skip and count it', 'fail')
    .option('--json', 'print JSON')
    .action(async (model: string | undefined, flags: Flags) => {
      const { evaluate } = await import('../evaluate');
      const result = await evaluate(modelPath(model), {
        ...flags,
        ...roundingOf(flags.rounding),
        batchSize: positiveInteger('--batch-size', flags.batchSize),
        ...(flags.limit ? { limit: positiveInteger('--limit', flags.limit) } : {}),
        ...(flags.threads ? { threads: positiveInteger('--threads', flags.threads, 1024) } : {}),
      } as Parameters<typeof evaluate>[1]);
      const { task, figures, total, skipped, seconds } = result;
      if (flags.json)
        return consoleIo.out(`${JSON.stringify({ schemaVersion: 1, schema: 'eval', task, ...figures, total, skipped, seconds })}\n`);
      consoleIo.out(`${figureLines(result).join('\n')}\n`);
      const left = skipped > 0 ? `, ${skipped} bad records left out` : '';
      consoleIo.err(`${total} ${task === 'squad' ? 'questions' : 'texts'} in ${seconds.toFixed(1)} s${left}\n`);
    });
}

/** The original's lines, in its words, and those of the figures it did not have. */
function figureLines({ figures }: Pick<Evaluation, 'figures'>): string[] {
  const names: Record<string, string> = {
    f1: 'exactMatch' in figures ? 'F1 Accuracy' : 'F1',
    exactMatch: 'Exact Match',
    accuracy: 'Accuracy',
    matthews: 'Matthews Correlation',
    pearson: 'Pearson Correlation',
    spearman: 'Spearman Correlation',
  };
  return Object.entries(figures).map(([key, value]) => `${names[key] ?? key}: ${value.toFixed(4)}`);
}
