import type { Command } from 'commander';
import { consoleIo, positiveInteger } from '../context';
import { modelPath } from '../model-argument';

interface Flags {
  task: string;
  data?: string;
  limit?: string;
  batchSize: string;
  threads?: string;
  tokenizer?: string;
  sparse?: string;
  engine: string;
  predictions?: string;
  json?: boolean;
}

export function registerEval(program: Command): void {
  program
    .command('eval [model]')
    .description('accuracy on a data set: F1 and exact match on SQuAD')
    .option('--task <name>', 'squad', 'squad')
    .option('-d, --data <file>', 'SQuAD v1.1 JSON; default: the samples of the embedded model')
    .option('--limit <n>', 'questions to ask at most')
    .option('-b, --batch-size <n>', 'windows in a run', '8')
    .option('-t, --threads <n>', 'threads')
    .option('--tokenizer <path>', 'tokenizer folder or file; default: beside the model')
    .option('--sparse <policy>', 'auto, threshold, always or never')
    .option('-e, --engine <name>', 'neural-engine or onnxruntime', 'neural-engine')
    .option('--predictions <file>', 'write the answers in the official format { id: answer }')
    .option('--json', 'print JSON')
    .action(async (model: string | undefined, flags: Flags) => {
      const { evaluate } = await import('../evaluate');
      const result = await evaluate(modelPath(model), {
        ...flags,
        batchSize: positiveInteger('--batch-size', flags.batchSize),
        ...(flags.limit ? { limit: positiveInteger('--limit', flags.limit) } : {}),
        ...(flags.threads ? { threads: positiveInteger('--threads', flags.threads, 1024) } : {}),
      } as Parameters<typeof evaluate>[1]);
      if (flags.json) return consoleIo.out(`${JSON.stringify({ schemaVersion: 1, ...result })}\n`);
      // The original's two lines, in its words.
      consoleIo.out(`F1 Accuracy: ${result.f1.toFixed(4)}\nExact Match: ${result.exactMatch.toFixed(4)}\n`);
      consoleIo.err(`${result.total} questions in ${result.seconds.toFixed(1)} s\n`);
    });
}
