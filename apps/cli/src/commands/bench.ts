import type { Command } from 'commander';
import { consoleIo, formatOf, integerList, type OutputFlags, positiveInteger, printTable } from '../context';
import { modelPath, modelTitle } from '../model-argument';

interface Flags extends OutputFlags {
  batchSize: string;
  seqLen: string;
  threads?: string;
  iterations: string;
  warmup?: string;
  engine: string;
  sparse?: string;
}

export function registerBench(program: Command): void {
  program
    .command('bench [model]')
    .description('latency and throughput; lists give a sweep')
    .option('-b, --batch-size <list>', 'sequences in a run', '1')
    .option('-s, --seq-len <list>', 'tokens of each sequence', '128')
    .option('-t, --threads <list>', 'threads; default: all cores')
    .option('-i, --iterations <n>', 'runs that are measured', '50')
    .option('-w, --warmup <n>', 'runs before; default: a tenth, at least 3')
    .option('-e, --engine <name>', 'neural-engine, or onnxruntime to run the same file there too, alternating', 'neural-engine')
    .option('--sparse <policy>', 'auto, threshold, always or never')
    .option('-o, --output <form>', 'text, md, json, jsonl or csv', 'text')
    .option('--json', 'the same as --output json')
    .action(async (model: string | undefined, flags: Flags) => {
      const { bench, BENCH_COLUMNS, ORT_COLUMNS } = await import('../bench/bench');
      const format = formatOf(flags);
      const iterations = positiveInteger('--iterations', flags.iterations);
      const result = await bench({
        model: modelPath(model),
        batchSizes: integerList('--batch-size', flags.batchSize),
        seqLens: integerList('--seq-len', flags.seqLen),
        ...(flags.threads ? { threads: integerList('--threads', flags.threads) } : {}),
        iterations,
        warmup: flags.warmup === undefined ? Math.max(3, Math.ceil(iterations / 10)) : Number(flags.warmup),
        onnxruntime: flags.engine === 'onnxruntime',
        ...(flags.sparse ? { sparse: flags.sparse } : {}),
      });
      if (format === 'text') consoleIo.err(`${modelTitle(model)} on ${result.facts.cpu}, ${result.facts.tier}\n`);
      printTable(
        consoleIo,
        format,
        flags.engine === 'onnxruntime' ? [...BENCH_COLUMNS, ...ORT_COLUMNS] : BENCH_COLUMNS,
        result.rows,
        result.facts,
      );
      if (format === 'text' && result.histogram.length > 0) consoleIo.err(`${result.histogram.join('\n')}\n`);
    });
}
