import { EngineError } from '@neural-engine/core';
import type { TaskMeasure } from '@neural-engine/engine';
import type { Trial } from '@neural-engine/quantizer';
import type { Command } from 'commander';
import { consoleIo, formatOf, printTable } from '../context';
import { modelPath } from '../model-argument';
import type { Column, Row } from '../output/table';
import type { QuantizedModel, QuantizeFlags, SearchFlags } from '../quantize/quantize';
import type { OnnxFlags } from '../quantize/quantize-onnx';

interface Flags extends QuantizeFlags, OnnxFlags, Omit<SearchFlags, 'maxDrop'> {
  output?: string;
  precision: string;
  maxDrop?: string;
  dryRun?: boolean;
  saveRecipe?: string;
  json?: boolean;
  force?: boolean;
}

export function registerQuantize(program: Command): void {
  program
    .command('quantize [model]')
    .description('a smaller, faster form of a model, without training: saved as IR, or as ONNX that any runtime runs')
    .option(
      '-o, --output <path>',
      'where to save: a folder for the IR, or file.onnx (weights beside it where those of [model] are, or past 2 GiB)',
    )
    .option('-p, --precision <name>', 'fp32, bf16, int8 (static: calibrated) or dynamic-int8', 'int8')
    .option('-c, --calibration <path>', 'texts to calibrate on: SQuAD, GLUE, tsv, csv, json, jsonl; or .npz, or a folder of them')
    .option('-n, --samples <n>', 'samples to calibrate on', '512')
    .option('-m, --method <name>', 'how ranges are cut: minmax, percentile, entropy or mse; default: mse')
    .option('--percentile <p>', 'for the method percentile; default: 99.99')
    .option('--between <dtype>', 'what products and LayerNorm give one another: fp32, or bf16, which takes half the memory')
    .option('--no-balance', 'one range for all channels of a value, also where some reach much further than others')
    .option('--ignore-nan', 'calibrate on finite values alone, and say how many others there were')
    .option('--on-error <policy>', 'fail on a bad record, or skip and count it', 'fail')
    .option('--attention', 'int8 in ONNX: also pairs around attention, which this engine then computes in 8 bits, as it does in an IR')
    .option('--heads', 'also products with fewer than 16 outputs')
    .option('--keep <layers>', 'products and attention blocks to leave in f32, separated by commas')
    .option('--recipe <file>', 'what each layer becomes, as --dry-run or --save-recipe wrote it')
    .option('--dry-run', 'print the recipe and write nothing')
    .option('--save-recipe <file>', 'write the recipe that made the model, fallbacks included')
    .option('--max-drop <drop>', 'let layers fall back to f32 until the task loses at most so much: 1% of fp32, or 0.35 points')
    .option('--task <name>', 'for --max-drop: squad or a GLUE task', 'squad')
    .option('-d, --data <file>', 'for --max-drop: labelled data; default: the samples of the embedded model')
    .option('--limit <n>', 'for --max-drop: examples at most')
    .option('--confident', 'for --max-drop: demand that the 95% bound is within it, not only the mean')
    .option('--max-trials <n>', 'for --max-drop: trials at most; default: as many as there are layers')
    .option('--tokenizer <path>', 'tokenizer folder or file; default: beside the model')
    .option('-t, --threads <n>', 'threads')
    .option('--force', 'replace what is there')
    .option('--json', 'print what was done as JSON')
    .action(async (model: string | undefined, flags: Flags) => {
      const { dryRun, quantizeToIr } = await import('../quantize/quantize');
      if (flags.dryRun) return consoleIo.out(await dryRun(modelPath(model), flags));
      if (flags.output === undefined)
        throw new EngineError('E_USAGE', 'usage', 'say where to save the model: --output <folder or file.onnx>');
      if (flags.attention && !flags.output.endsWith('.onnx'))
        throw new EngineError('E_USAGE', 'usage', `--attention goes with --output file.onnx; int8 in an IR codes attention anyway`);
      const search = flags.maxDrop === undefined ? undefined : { ...flags, maxDrop: flags.maxDrop };
      const output = flags.output;
      const made = output.endsWith('.onnx')
        ? await (await import('../quantize/quantize-onnx')).quantizeToOnnx(modelPath(model), { ...flags, output }, search)
        : await quantizeToIr(modelPath(model), { ...flags, output }, search);
      report(made, output, flags.json ?? false);
    });
}

const TRIAL_COLUMNS: readonly Column[] = [
  { key: 'trial', title: 'trial' },
  { key: 'fallback', title: 'falls back to fp32', align: 'left' },
  { key: 'metric', title: 'metric', digits: 2 },
  { key: 'drop', title: 'drop', digits: 2 },
  { key: 'dropLower', title: '95% from', digits: 2 },
  { key: 'dropUpper', title: 'to', digits: 2 },
  { key: 'accepted', title: 'within', align: 'left' },
];

const trialRow = ({ fallbacks, measure, accepted }: Trial<TaskMeasure>, trial: number): Row => {
  const { metric, drop, dropLower, dropUpper, standardError } = measure;
  return { trial, fallback: fallbacks.at(-1) ?? 'nothing: all int8', metric, drop, dropLower, dropUpper, standardError, accepted };
};

function report(made: Omit<QuantizedModel, 'graph'>, output: string, json: boolean): void {
  const { precision, products, attentions, samples, warnings, search } = made;
  for (const { where, message } of warnings) consoleIo.err(`warning: ${where} ${message}\n`);
  const rows = search?.trials.map(trialRow) ?? [];
  if (json) {
    const extra = { precision, products, attentions, samples, warnings, output };
    const within = search ? { baseline: search.baseline, allowed: search.allowed, snr: search.sensitivity.snr } : {};
    printTable(consoleIo, 'json', TRIAL_COLUMNS, rows, { schema: 'quantize', ...extra, ...within });
    return;
  }
  if (search) {
    consoleIo.out(`fp32 has ${search.baseline.toFixed(2)}; at most ${search.allowed.toFixed(2)} points may be lost\n\n`);
    printTable(consoleIo, formatOf({}), TRIAL_COLUMNS, rows);
    const { dropUpper } = search.trials.at(-1)!.measure;
    if (dropUpper > search.allowed)
      consoleIo.err(`the examples cannot exclude a drop of up to ${dropUpper.toFixed(2)}: use more of them to be sure\n`);
  }
  consoleIo.err(`${summary({ precision, products, attentions, samples })}; saved to ${output}\n`);
}

function summary({
  precision,
  products,
  attentions,
  samples,
}: Pick<QuantizedModel, 'precision' | 'products' | 'attentions' | 'samples'>): string {
  if (precision === 'fp32') return 'nothing is quantised: fp32';
  const calibrated = samples > 0 ? `, calibrated on ${samples} samples` : '';
  const blocks = precision === 'bf16' ? '' : ` and ${attentions} attention blocks`;
  return `${products} products${blocks} are ${precision} now${calibrated}`;
}
