import { text as readStream } from 'node:stream/consumers';
import type { Command } from 'commander';
import { consoleIo, positiveInteger } from '../context';
import { EMBEDDINGS_OPTION, embeddingsOf } from '../embeddings';
import { readText } from '../files';
import { modelPath } from '../model-argument';

interface Flags {
  context: string;
  tokenizer?: string;
  threads?: string;
  embeddings: string;
  nBest: string;
  json?: boolean;
}

export function registerAnswer(program: Command): void {
  program
    .command('answer <question> [model]')
    .description('answer a question from a text')
    .requiredOption('-c, --context <file>', 'the text; "-" reads stdin')
    .option('--tokenizer <path>', 'tokenizer folder or file; default: beside the model')
    .option('--threads <n>', 'threads')
    .option(...EMBEDDINGS_OPTION)
    .option('-n, --n-best <n>', 'answers to print', '1')
    .option('--json', 'print JSON')
    .action(async (question: string, model: string | undefined, flags: Flags) => {
      const best = positiveInteger('--n-best', flags.nBest, 100);
      const threads = flags.threads === undefined ? undefined : positiveInteger('--threads', flags.threads, 1024);
      const how = embeddingsOf(flags.embeddings);
      const { load, pipeline } = await import('@neural-engine/engine');
      const context = flags.context === '-' ? await readStream(process.stdin) : await readText(flags.context);
      const loaded = await load(modelPath(model), how);
      const qa = await pipeline('question-answering', loaded, {
        ...(flags.tokenizer ? { tokenizer: flags.tokenizer } : {}),
        ...(threads === undefined ? {} : { sessionOptions: { threads } }),
      });
      const started = performance.now();
      const found = await qa.answer(question, context, { nBest: best });
      const answers = found.nBest ?? [found];
      const milliseconds = performance.now() - started;
      await qa.close();
      if (flags.json) return consoleIo.out(`${JSON.stringify({ schemaVersion: 1, question, answers, milliseconds })}\n`);
      for (const { answer, score, start, end } of answers)
        consoleIo.out(`${answer}\n  score ${score.toFixed(4)}, characters ${start}–${end}\n`);
      consoleIo.err(`${milliseconds.toFixed(1)} ms\n`);
    });
}
