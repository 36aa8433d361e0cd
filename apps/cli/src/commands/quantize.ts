import type { Command } from 'commander';
import { consoleIo } from '../context';
import { modelPath } from '../model-argument';
import type { QuantizedModel } from '../quantize';

interface Flags {
  output: string;
  precision: string;
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
    .description('a smaller, faster form of a model, without training: saved as IR')
    .requiredOption('-o, --output <path>', 'folder to save the IR in; for bf16 also a file.onnx')
    .option('-p, --precision <name>', 'fp32, bf16, int8 (static: calibrated on text) or dynamic-int8', 'int8')
    .option('-c, --calibration <file>', 'questions and texts in SQuAD JSON; default: what ships with the embedded model')
    .option('-n, --samples <n>', 'samples to calibrate on', '512')
    .option('-m, --method <name>', 'minmax, percentile, entropy or mse', 'minmax')
    .option('--percentile <p>', 'for the method percentile', '99.99')
    .option('--tokenizer <path>', 'tokenizer folder or file; default: beside the model')
    .option('--keep <nodes>', 'products to leave in f32, separated by commas')
    .option('--force', 'replace what is there')
    .action(async (model: string | undefined, flags: Flags) => {
      const made = flags.output.endsWith('.onnx')
        ? await (await import('../quantize-onnx')).quantizeToOnnx(modelPath(model), flags)
        : await (await import('../quantize')).quantizeToIr(modelPath(model), flags);
      consoleIo.err(`${summary(made)}; saved to ${flags.output}\n`);
    });
}

function summary({ precision, products, attentions, samples }: Omit<QuantizedModel, 'graph'>): string {
  if (precision === 'fp32') return 'nothing is quantised: fp32';
  const calibrated = samples > 0 ? `, calibrated on ${samples} samples` : '';
  const blocks = precision === 'bf16' ? '' : ` and ${attentions} attention blocks`;
  return `${products} products${blocks} are ${precision} now${calibrated}`;
}
