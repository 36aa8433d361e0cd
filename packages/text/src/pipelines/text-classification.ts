import { EngineError } from '@neural-engine/core';
import { type BatchResult, floatsOf } from './batches';
import type { PipelineRunOptions } from './run-model';
import { type TextItem, type TextModel, textRunner } from './text-items';

export interface TextClassificationOptions extends TextModel {
  /** Names of the classes in the order of the logits (`id2label` of config.json). Default LABEL_0, LABEL_1, … */
  readonly labels?: readonly string[];
}

export interface Classification {
  readonly label: string;
  /** Softmax over the classes; with a single class, its sigmoid. */
  readonly score: number;
}

export interface ClassifyOptions extends PipelineRunOptions {
  /** So many classes, best first. Default 1. */
  readonly topK?: number;
}

export interface TextClassificationPipeline {
  readonly labels: readonly string[] | undefined;
  /** @throws {EngineError} E_ABORTED; E_MODEL outputs that are no `[batch, classes]` logits. */
  classify(item: TextItem, options?: ClassifyOptions): Promise<Classification[]>;
  /** Classifies many texts, batched by length; results come in the order of the texts. */
  classifyAll(items: readonly TextItem[], options?: ClassifyOptions): Promise<Classification[][]>;
  /** The raw logits of many texts, `[classes]` each. */
  logitsAll(items: readonly TextItem[], options?: PipelineRunOptions): Promise<Float64Array[]>;
}

/**
 * Classification of texts or pairs with a model that has an output `logits` `[batch, classes]`, or a single output of that shape.
 * @throws {EngineError} E_UNSUPPORTED inputs that text cannot feed; E_USAGE impossible settings.
 */
export function textClassification(options: TextClassificationOptions): TextClassificationPipeline {
  const runTexts = textRunner(options);
  const { labels } = options;

  async function logitsAll(items: readonly TextItem[], run: PipelineRunOptions = {}): Promise<Float64Array[]> {
    const logits: Float64Array[] = new Array(items.length);
    await runTexts(items, run, (item, _encoding, result, row) => {
      logits[item] = logitsOf(result, row, labels?.length ?? -1);
    });
    return logits;
  }

  async function classifyAll(items: readonly TextItem[], run: ClassifyOptions = {}): Promise<Classification[][]> {
    const topK = run.topK ?? 1;
    if (!Number.isSafeInteger(topK) || topK < 1)
      throw new EngineError('E_USAGE', 'text', `topK is ${topK}, expected a positive integer`, { where: 'topK' });
    const nameOf = (index: number) => labels?.[index] ?? `LABEL_${index}`;
    return (await logitsAll(items, run)).map((logits) =>
      Array.from(probabilities(logits), (score, index) => ({ label: nameOf(index), score }))
        .sort((a, b) => b.score - a.score)
        .slice(0, topK),
    );
  }

  return { labels, logitsAll, classifyAll, classify: async (item, run) => (await classifyAll([item], run))[0]! };
}

function logitsOf({ outputs, indices }: BatchResult, row: number, classes: number): Float64Array {
  const names = Object.keys(outputs);
  const name = outputs['logits'] === undefined && names.length === 1 ? names[0]! : 'logits';
  const output = outputs[name];
  if (output === undefined)
    throw new EngineError('E_MODEL', 'text', `the model's outputs are ${names.join(', ') || 'none'}, expected logits`);
  const data = floatsOf(output, name, [indices.length, classes]);
  const width = output.dims[1]!;
  const logits = Float64Array.from(data.subarray(row * width, (row + 1) * width));
  if (width === 0 || !logits.every(Number.isFinite)) {
    throw new EngineError('E_MODEL', 'text', `output "${name}" has ${width === 0 ? 'no classes' : 'a value that is not finite'}`, {
      where: name,
    });
  }
  return logits;
}

/** Softmax, or the sigmoid of a single logit. */
export function probabilities(logits: Float64Array): Float64Array {
  if (logits.length === 1) return Float64Array.of(1 / (1 + Math.exp(-logits[0]!)));
  const peak = logits.reduce((a, b) => Math.max(a, b));
  const powers = logits.map((logit) => Math.exp(logit - peak));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}
