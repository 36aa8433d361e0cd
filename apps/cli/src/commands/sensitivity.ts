import type { Command } from 'commander';
import { consoleIo, formatOf, type OutputFlags, printTable } from '../context';
import { modelPath, modelTitle } from '../model-argument';
import type { QuantizeFlags } from '../quantize/quantize';

interface Flags extends OutputFlags, QuantizeFlags {
  html?: string;
  force?: boolean;
}

export function registerSensitivity(program: Command): void {
  program
    .command('sensitivity [model]')
    .description("what each layer's int8 form costs the outputs, and how ranges were chosen")
    .option('-c, --calibration <path>', 'texts to calibrate on: SQuAD, GLUE, tsv, csv, json, jsonl; or .npz, or a folder of them')
    .option('-n, --samples <n>', 'samples to calibrate on', '512')
    .option('-m, --method <name>', 'how ranges are cut: minmax, percentile, entropy or mse; default: mse')
    .option('--percentile <p>', 'for the method percentile; default: 99.99')
    .option('--between <dtype>', 'what products and LayerNorm give one another: fp32, or bf16, which takes half the memory')
    .option('--no-balance', 'one range for all channels of a value, also where some reach much further than others')
    .option('--ignore-nan', 'calibrate on finite values alone, and say how many others there were')
    .option('--on-error <policy>', 'fail on a bad record, or skip and count it', 'fail')
    .option('--heads', 'also products with fewer than 16 outputs')
    .option('--keep <layers>', 'products and attention blocks to leave in f32, separated by commas')
    .option('--recipe <file>', 'what each layer becomes')
    .option('--html <file>', 'write range histograms and the cost of each layer to a self-contained page')
    .option('--force', 'replace files that are there')
    .option('--tokenizer <path>', 'tokenizer folder or file; default: beside the model')
    .option('-t, --threads <n>', 'threads')
    .option('-o, --output <form>', 'text, md, json, jsonl or csv', 'text')
    .option('--json', 'the same as --output json')
    .action(async (model: string | undefined, flags: Flags) => {
      const { sensitivityReport, SENSITIVITY_COLUMNS } = await import('../quantize/sensitivity');
      const format = formatOf(flags);
      const { rows, facts } = await sensitivityReport(modelPath(model), modelTitle(model), flags);
      printTable(consoleIo, format, SENSITIVITY_COLUMNS, rows, facts);
      consoleIo.err(`${facts.snr.toFixed(2)} dB signal to noise with all ${rows.length} layers in int8\n`);
    });
}
