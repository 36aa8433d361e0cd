import type { Command } from 'commander';
import { consoleIo } from '../context';
import { modelPath } from '../model-argument';

interface Flags {
  output: string;
  calibration?: string;
  samples: string;
  method: string;
  percentile?: string;
  tokenizer?: string;
  keep?: string;
  force?: boolean;
}

export function registerQuantize(program: Command): void {
  program
    .command('quantize [model]')
    .description('post-training static int8: calibrate on text, save as IR')
    .requiredOption('-o, --output <folder>', 'where to save the IR')
    .option('-c, --calibration <file>', 'questions and texts in SQuAD JSON; default: what ships with the embedded model')
    .option('-n, --samples <n>', 'samples to calibrate on', '512')
    .option('-m, --method <name>', 'minmax, percentile, entropy or mse', 'minmax')
    .option('--percentile <p>', 'for the method percentile', '99.99')
    .option('--tokenizer <path>', 'tokenizer folder or file; default: beside the model')
    .option('--keep <nodes>', 'products to leave in f32, separated by commas')
    .option('--force', 'replace what is there')
    .action(async (model: string | undefined, flags: Flags) => {
      const { quantizeToIr } = await import('../quantize');
      const { products, attentions, samples } = await quantizeToIr(modelPath(model), flags);
      consoleIo.err(
        `${products} products and ${attentions} attention blocks are int8 now, calibrated on ${samples} samples; saved to ${flags.output}\n`,
      );
    });
}
