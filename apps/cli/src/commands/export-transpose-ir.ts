import type { Command } from 'commander';

export function registerExportTransposeIr(program: Command): void {
  program
    .command('export-transpose-ir')
    .description("export_transpose_ir.py of Intel's Neural Engine: the transposed sparse IR")
    .requiredOption('--input_model <path>', 'ONNX file or IR folder')
    .option('--output_dir <folder>', 'where to save it', './sparse_int8_ir')
    .option('--original', "write the original's dialect, so that its tools load the result")
    .action(async (flags: { input_model: string; output_dir: string; original?: boolean }) => {
      const { transposeToIr } = await import('../transpose');
      // As there, what an earlier export left is replaced.
      const how = { output: flags.output_dir, threshold: '0.7', force: true, ...(flags.original ? { original: true } : {}) };
      const { notes } = await transposeToIr(flags.input_model, how);
      for (const note of notes) process.stderr.write(`${note}\n`);
    });
}
