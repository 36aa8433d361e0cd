import { EngineError } from '@neural-engine/core';
import type { Command } from 'commander';
import { consoleIo, formatOf, type OutputFlags, positiveInteger, printTable } from '../context';
import { modelPath, modelTitle } from '../model-argument';

interface Flags extends OutputFlags {
  precision: string;
  mode: string;
  samples?: string;
  method?: string;
  heads?: boolean;
  recipe?: string;
  between?: string;
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
    .option('--mode <name>', 'accuracy, latency (one sequence a run), throughput (eight), or all: accuracy and latency', 'all')
    .option('-d, --data <file>', 'SQuAD v1.1 JSON for the accuracy; default: the samples of the embedded model')
    .option('--limit <n>', 'questions to ask at most')
    .option('-c, --calibration <file>', 'texts to calibrate on; default: what ships with the embedded model')
    .option('-n, --samples <n>', 'samples to calibrate on', '512')
    .option('-m, --method <name>', 'how ranges are cut: minmax, percentile, entropy or mse; default: mse')
    .option('--heads', 'quantise products with fewer than 16 outputs too')
    .option('--between <dtype>', 'what products and LayerNorm give one another: fp32, or bf16, which takes half the memory')
    .option('--recipe <file>', 'what each layer becomes, as ne quantize wrote it')
    .option('-s, --seq-len <n>', 'tokens for the speed', '128')
    .option('-i, --iterations <n>', 'runs that are measured', '50')
    .option('-t, --threads <n>', 'threads', '1')
    .option('--tokenizer <path>', 'tokenizer folder or file; default: beside the model')
    .option('-o, --output <form>', 'text, md, json, jsonl or csv', 'text')
    .option('--json', 'the same as --output json')
    .action(async (model: string | undefined, flags: Flags) => {
      const { runPipeline, pipelineColumns, MODES } = await import('../pipeline');
      const { requirePrecision } = await import('@neural-engine/quantizer');
      const format = formatOf(flags);
      const mode = MODES.find((name) => name === flags.mode);
      if (!mode) throw new EngineError('E_USAGE', 'usage', `--mode ${flags.mode}: expected one of ${MODES.join(', ')}`);
      const result = await runPipeline(modelPath(model), {
        ...flags,
        mode,
        precision: requirePrecision(flags.precision, '--precision'),
        seqLen: positiveInteger('--seq-len', flags.seqLen, 512),
        iterations: positiveInteger('--iterations', flags.iterations),
        threads: positiveInteger('--threads', flags.threads ?? '1', 1024),
        ...(flags.limit ? { limit: positiveInteger('--limit', flags.limit) } : {}),
      } as Parameters<typeof runPipeline>[1]);
      if (format === 'text')
        consoleIo.out(
          `${modelTitle(model)} on ${result.facts.cpu}, ${result.facts.tier}, ${result.facts.threads === 1 ? '1 thread' : `${result.facts.threads} threads`}, ${result.facts.batch} × ${result.facts.seqLen} tokens\n\n`,
        );
      printTable(consoleIo, format, pipelineColumns(mode), result.rows, result.facts);
      for (const note of result.notes) consoleIo.err(`${note}\n`);
      if (format !== 'text' || !result.example) return;
      const { question, answer, score, start, end, milliseconds } = result.example;
      consoleIo.out(
        `\nQuestion  ${question}\nAnswer    ${answer}   (score ${score.toFixed(3)}, characters ${start}–${end}, ${milliseconds.toFixed(1)} ms)\n`,
      );
    });
}
