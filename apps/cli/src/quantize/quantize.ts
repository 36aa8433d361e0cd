import { EngineError, type Tensor } from '@neural-engine/core';
import { demoCalibrationPath } from '@neural-engine/demo-model';
import { compileModel, locate, quantize, tokenizerOf, writeIr } from '@neural-engine/engine';
import { readSquad } from '@neural-engine/evaluation';
import type { Graph } from '@neural-engine/ir';
import { type CalibrationMethod, type Precision, type Recipe, requirePrecision, select } from '@neural-engine/quantizer';
import type { Tokenizer } from '@neural-engine/text';
import { positiveInteger } from './context';
import { progress } from './output/progress';

export interface QuantizeFlags {
  readonly precision?: string;
  readonly calibration?: string;
  readonly samples: string;
  readonly method: string;
  readonly percentile?: string;
  readonly tokenizer?: string;
  readonly keep?: string;
}

const METHODS: readonly CalibrationMethod[] = ['minmax', 'percentile', 'entropy', 'mse'];

export interface QuantizedModel {
  readonly graph: Graph;
  readonly precision: Precision;
  readonly products: number;
  readonly attentions: number;
  /** Calibration samples; 0 where the precision needs none. */
  readonly samples: number;
}

/** Compiles a model and turns it into the precision asked for, calibrating where that needs it. */
export async function quantizeModel(path: string, flags: QuantizeFlags): Promise<QuantizedModel> {
  const precision = requirePrecision(flags.precision ?? 'int8', '--precision');
  const graph = await compileModel(path);
  if (precision === 'fp32') return { graph, precision, products: 0, attentions: 0, samples: 0 };
  const recipe = flags.keep ? { keep: flags.keep.split(',') } : {};
  const { products, attentions } = select(graph, recipe);
  const counts = { precision, products: products.size, attentions: attentions.size };
  if (precision !== 'int8') return { ...(await quantize(graph, { precision, recipe })), ...counts, samples: 0 };
  return { ...(await calibrated(path, graph, flags, recipe)), ...counts };
}

async function calibrated(path: string, graph: Graph, flags: QuantizeFlags, recipe: Recipe): Promise<{ graph: Graph; samples: number }> {
  const method = METHODS.find((name) => name === flags.method);
  if (!method) throw new EngineError('E_USAGE', 'usage', `--method ${flags.method}: expected one of ${METHODS.join(', ')}`);
  const limit = positiveInteger('--samples', flags.samples);
  const located = locate(path);
  const tokenizer = await tokenizerOf(flags.tokenizer ?? ('directory' in located ? located.directory : undefined));
  const examples = (await readSquad(flags.calibration ?? demoCalibrationPath(), { requireAnswers: false })).examples.slice(0, limit);
  if (examples.length < 32) process.stderr.write(`only ${examples.length} calibration samples: ranges may be too narrow\n`);
  const bar = progress('calibrating', examples.length);
  try {
    const { graph: quantized } = await quantize(graph, {
      precision: 'int8',
      samples: calibrationFeeds(graph, tokenizer, examples),
      method,
      recipe,
      ...(flags.percentile ? { percentile: Number(flags.percentile) } : {}),
      onProgress: (done) => bar.update(done),
    });
    return { graph: quantized, samples: examples.length };
  } finally {
    bar.stop();
  }
}

export async function quantizeToIr(path: string, flags: QuantizeFlags & { output: string; force?: boolean }) {
  const { graph, ...counts } = await quantizeModel(path, flags);
  await writeIr(graph, flags.output, { force: flags.force ?? false });
  return counts;
}

/** The first window of each question, as the model's inputs. */
export function* calibrationFeeds(
  graph: Graph,
  tokenizer: Tokenizer,
  examples: readonly { question: string; context: string }[],
): Generator<Record<string, Tensor>> {
  for (const { question, context } of examples) {
    const [window] = tokenizer.encodeWindows(question, context, { maxLength: 384, stride: 128 });
    const columns: Record<string, ArrayLike<number>> = {
      input_ids: window!.ids,
      attention_mask: window!.attentionMask,
      token_type_ids: window!.typeIds,
    };
    yield Object.fromEntries(
      graph.inputs.map((name) => {
        const values = columns[name];
        if (!values)
          throw new EngineError('E_DATASET', 'quantize', `the model's input "${name}" cannot be made from text`, { where: name });
        return [name, { dtype: 's64' as const, dims: [1, values.length], data: BigInt64Array.from(values, BigInt) }];
      }),
    );
  }
}
