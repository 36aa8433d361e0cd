import type { Command } from 'commander';
import { positiveInteger } from '../context';

type Flags = Record<
  | 'log_name'
  | 'output'
  | 'dataset'
  | 'cache_dir'
  | 'sequence_len'
  | 'model'
  | 'precision'
  | 'batch_size'
  | 'warm_up'
  | 'iteration'
  | 'mode'
  | 'data_dir',
  string
>;

export function registerRunPipeline(program: Command): void {
  program
    .command('run-pipeline')
    .description("run_distilbert.sh of Intel's Neural Engine: prepare a precision, then accuracy, latency or throughput")
    .option('--log_name <stem>', 'stem of log files', 'bert_large.log')
    .option('--output <folder>', 'where logs go', '.')
    .option('--dataset <name>', 'squad', 'squad')
    .option('--data_dir <path>', 'SQuAD JSON file, or a folder that holds one', './data')
    .option('--cache_dir <folder>', 'taken and not needed', './tmp')
    .option('--sequence_len <n>', 'tokens of each sequence', '128')
    .option('--model <path>', 'fp32 ONNX file to prepare from; default, and for names of a hub: fp32-model.onnx, else the embedded model')
    .option('--precision <name>', 'fp32, int8, bf16 or dynamic_int8', 'int8')
    .option('--batch_size <n>', 'sequences in a run', '8')
    .option('--warm_up <n>', 'iterations that are not measured', '100')
    .option('--iteration <n>', 'all iterations', '1000')
    .requiredOption('--mode <name>', 'accuracy, latency or throughput')
    .action(async (flags: Flags) => {
      const { runOriginalPipeline } = await import('../coming-from/run-pipeline');
      process.exitCode = await runOriginalPipeline({
        logName: flags.log_name,
        output: flags.output,
        dataset: flags.dataset,
        dataDir: flags.data_dir,
        seqLen: positiveInteger('--sequence_len', flags.sequence_len),
        precision: flags.precision,
        batchSize: positiveInteger('--batch_size', flags.batch_size),
        warmUp: flags.warm_up === '0' ? 0 : positiveInteger('--warm_up', flags.warm_up),
        iteration: positiveInteger('--iteration', flags.iteration),
        mode: flags.mode,
        ...(flags.model ? { model: flags.model } : {}),
      });
    });
}
