import type { Command } from 'commander';
import { consoleIo, formatOf, type OutputFlags, positiveInteger, printTable } from '../context';
import { modelPath, modelTitle } from '../model-argument';

interface Flags extends OutputFlags {
  precision: string;
  data?: string;
  limit?: string;
  calibration?: string;
  seqLen: string;
  iterations: string;
  threads?: string;
  tokenizer?: string;
}

export function registerPipeline(program: Command): void {
  program
    .command('pipeline [model]')
    .description('the whole way on one model: fp32, int8, sparse int8 and ONNX Runtime side by side; without a model, on the embedded one')
    .option('-p, --precision <name>', 'what stands beside fp32: bf16, int8 (calibrated) or dynamic-int8; fp32 for itself alone', 'int8')
    .option('-d, --data <file>', 'SQuAD v1.1 JSON for the accuracy; default: the samples of the embedded model')
    .option('--limit <n>', 'questions to ask at most')
    .option('-c, --calibration <file>', 'SQuAD JSON to calibrate on; default: what ships with the embedded model')
    .option('-s, --seq-len <n>', 'tokens for the speed', '128')
    .option('-i, --iterations <n>', 'runs that are measured', '50')
    .option('-t, --threads <n>', 'threads', '1')
    .option('--tokenizer <path>', 'tokenizer folder or file; default: beside the model')
    .option('-o, --output <form>', 'text, md, json, jsonl or csv', 'text')
    .option('--json', 'the same as --output json')
    .action(async (model: string | undefined, flags: Flags) => {
      const { runPipeline, PIPELINE_COLUMNS } = await import('../pipeline');
      const { requirePrecision } = await import('@neural-engine/quantizer');
      const format = formatOf(flags);
      const result = await runPipeline(modelPath(model), {
        ...flags,
        precision: requirePrecision(flags.precision, '--precision'),
        seqLen: positiveInteger('--seq-len', flags.seqLen, 512),
        iterations: positiveInteger('--iterations', flags.iterations),
        threads: positiveInteger('--threads', flags.threads ?? '1', 1024),
        ...(flags.limit ? { limit: positiveInteger('--limit', flags.limit) } : {}),
      } as Parameters<typeof runPipeline>[1]);
      if (format === 'text')
        consoleIo.out(
          `${modelTitle(model)} on ${result.facts.cpu}, ${result.facts.tier}, ${result.facts.threads} threads, 1 × ${result.facts.seqLen} tokens\n\n`,
        );
      printTable(consoleIo, format, PIPELINE_COLUMNS, result.rows, result.facts);
      if (format !== 'text') return;
      const { question, answer, score, start, end, milliseconds } = result.example;
      consoleIo.out(
        `\nQuestion  ${question}\nAnswer    ${answer}   (score ${score.toFixed(3)}, characters ${start}–${end}, ${milliseconds.toFixed(1)} ms)\n`,
      );
    });
}
