import type { Command } from 'commander';
import { positiveInteger } from '../context';

type Flags = Record<
  | 'input_model'
  | 'mode'
  | 'batch_size'
  | 'seq_len'
  | 'max_eval_samples'
  | 'warm_up'
  | 'iteration'
  | 'tokenizer_dir'
  | 'data_dir'
  | 'dataset_name'
  | 'log_file'
  | 'dynamic_quantize',
  string
>;

export function registerRunExecutor(program: Command): void {
  program
    .command('run-executor')
    .description("run_executor.py of Intel's Neural Engine: its flags, its lines")
    .option('--input_model <path>', 'ONNX file or IR folder', './model_and_tokenizer/int8-model.onnx')
    .option('--mode <name>', 'accuracy or performance', 'accuracy')
    .option('--batch_size <n>', 'sequences in a run', '1')
    .option('--seq_len <n>', 'tokens of each, for performance', '384')
    .option('--max_eval_samples <n>', 'questions to ask at most; -1: all', '-1')
    .option('--warm_up <n>', 'iterations that are not measured', '5')
    .option('--iteration <n>', 'all iterations', '10')
    .option('--tokenizer_dir <path>', 'tokenizer folder; default: beside the model')
    .option('--data_dir <path>', 'SQuAD JSON file, or a folder that holds one', './data')
    .option('--dataset_name <name>', 'squad', 'squad')
    .option('--log_file <file>', 'the lines again, with time and level', 'executor.log')
    .option('--dynamic_quantize <any>', 'int8 with ranges found at run time')
    .action(async (flags: Flags) => {
      const { runExecutor } = await import('../coming-from/run-executor');
      await runExecutor({
        inputModel: flags.input_model,
        mode: flags.mode,
        batchSize: positiveInteger('--batch_size', flags.batch_size),
        seqLen: positiveInteger('--seq_len', flags.seq_len),
        maxEvalSamples: flags.max_eval_samples === '-1' ? -1 : positiveInteger('--max_eval_samples', flags.max_eval_samples),
        warmUp: flags.warm_up === '0' ? 0 : positiveInteger('--warm_up', flags.warm_up),
        iteration: positiveInteger('--iteration', flags.iteration),
        dataDir: flags.data_dir,
        datasetName: flags.dataset_name,
        logFile: flags.log_file,
        ...(flags.tokenizer_dir ? { tokenizerDir: flags.tokenizer_dir } : {}),
        ...(flags.dynamic_quantize ? { dynamicQuantize: flags.dynamic_quantize } : {}),
      });
    });
}
