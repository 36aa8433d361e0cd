import type { Command } from 'commander';
import { consoleIo, formatOf, type OutputFlags, printTable } from '../context';
import { EMBEDDINGS_OPTION } from '../embeddings';
import { modelPath, modelTitle } from '../model-argument';
import { ROUNDING_OPTION } from '../rounding';
import { TUNE_OPTION } from '../tune';

interface Flags extends OutputFlags {
  mode?: string;
  batchSize?: string;
  seqLen: string;
  threads?: string;
  threadsPerInstance?: string;
  instances?: string;
  cores?: string;
  processes?: boolean;
  precision?: string;
  iterations: string;
  warmup?: string;
  stable?: string;
  latencyLimit?: string;
  latencyBy: string;
  engine: string;
  against?: string;
  againstSparse?: string;
  sparse?: string;
  tune?: string;
  embeddings: string;
  rounding?: string;
  svg?: string;
  html?: string;
  outputFile?: string;
  force?: boolean;
}

const EXAMPLES = `
Examples:
  ne bench sparse_int8_ir                               one instance on all cores
  ne bench -b 1,4,16 -s 64,128,384 --html sweep.html    a sweep, with its chart
  ne bench --mode throughput                            instances of four cores, as many as one socket has room for
  ne bench sparse_ir --against dense_ir                 how many times as fast the first is
  ne bench --against-sparse never                       what the sparse kernels bring
  ne bench --latency-limit 10ms -o csv                  the best throughput that answers within 10 ms`;

export function registerBench(program: Command): void {
  program
    .command('bench [model]')
    .description('latency and throughput; lists (1,2,8-10) give a sweep')
    .option('-m, --mode <name>', 'latency: one instance on all cores; throughput: instances of four cores on one socket')
    .option('-b, --batch-size <list>', 'sequences in a run; default: 1')
    .option('-s, --seq-len <list>', 'tokens of each sequence', '128')
    .option('-t, --threads <list>', 'threads of each instance; default: the cores, divided among the instances')
    .option('--threads-per-instance <list>', 'the same as --threads')
    .option('-n, --instances <list>', 'sessions side by side over one copy of the weights; auto: the throughput rule')
    .option('--cores <list>', 'logical CPUs to pin to, such as 0-3; default: unpinned, or one a physical core for several instances')
    .option('--processes', 'each instance in a process of its own')
    .option('--precision <list>', 'fp32, bf16, int8, dynamic-int8; default: as the model is stored')
    .option('-i, --iterations <n>', 'runs that are measured', '50')
    .option('-w, --warmup <n>', 'runs before; default: a tenth, at least 3')
    .option('--stable <percent>', 'go on until three windows of --iterations runs agree within this, ten windows at most')
    .option('--latency-limit <time>', 'find the best throughput within this latency, such as 10ms')
    .option('--latency-by <name>', 'which latency the limit is for: mean, p50, p90, p95 or p99', 'p99')
    .option('-e, --engine <name>', 'neural-engine, or onnxruntime to run the same file there too, alternating', 'neural-engine')
    .option('--against <model>', 'run this model too, alternating: how many times as fast [model] is')
    .option('--against-sparse <policy>', '--sparse of the other run; without --against that of the same model')
    .option('--sparse <policy>', 'auto, threshold, always or never')
    .option(...EMBEDDINGS_OPTION)
    .option(...ROUNDING_OPTION)
    .option(...TUNE_OPTION)
    .option('--svg <file>', 'draw throughput against latency')
    .option('--html <file>', 'the same with the table, as a page')
    .option('--output-file <csv>', "the table of the original's launcher")
    .option('--force', 'replace files that are there')
    .option('-o, --output <form>', 'text, md, json, jsonl or csv', 'text')
    .option('--json', 'the same as --output json')
    .addHelpText('after', EXAMPLES)
    .action(async (model: string | undefined, flags: Flags) => {
      const { benchCommand } = await import('../bench/command');
      const form = formatOf(flags);
      const { columns, rows, facts, histogram, notes, interrupted } = await benchCommand(modelPath(model), modelTitle(model), flags);
      printTable(consoleIo, form, columns, rows, facts);
      if (form === 'text' && histogram.length > 0) consoleIo.err(`${histogram.join('\n')}\n`);
      for (const note of notes) consoleIo.err(`${note}\n`);
      if (interrupted) process.exitCode = 130;
    });
}
