import { EngineError, type Tensor } from '@neural-engine/core';
import type { Encoding } from '../tokenizer/encoding';
import { type BatchResult, floatsOf } from './batches';
import type { PipelineRunOptions } from './run-model';
import { type TextItem, type TextModel, textRunner } from './text-items';

export interface FeatureExtractionOptions extends TextModel {
  /** `mean` over the real tokens (default), or the first token (`cls`). */
  readonly pooling?: 'mean' | 'cls';
  /** Scales each embedding to length 1. Default true. */
  readonly normalize?: boolean;
  /** The output to use. Default: `last_hidden_state`, else the only output of rank 3, else the only one of rank 2, which needs no pooling. */
  readonly output?: string;
}

export interface FeatureExtractionPipeline {
  /** @returns f32 `[hidden]`. @throws {EngineError} E_ABORTED; E_MODEL no output that fits. */
  embed(item: TextItem, options?: PipelineRunOptions): Promise<Float32Array>;
  /** Embeds many texts, batched by length; results come in the order of the texts. */
  embedAll(items: readonly TextItem[], options?: PipelineRunOptions): Promise<Float32Array[]>;
}

/**
 * Embeddings of texts from a model with hidden states `[batch, sequence, hidden]`, or one that pools by itself (`[batch, hidden]`).
 * @throws {EngineError} E_UNSUPPORTED inputs that text cannot feed; E_USAGE impossible settings.
 */
export function featureExtraction(options: FeatureExtractionOptions): FeatureExtractionPipeline {
  const { pooling = 'mean', normalize = true } = options;
  if (pooling !== 'mean' && pooling !== 'cls') {
    throw new EngineError('E_USAGE', 'text', `pooling is ${JSON.stringify(pooling)}, expected "mean" or "cls"`, { where: 'pooling' });
  }
  const runTexts = textRunner(options);

  async function embedAll(items: readonly TextItem[], run: PipelineRunOptions = {}): Promise<Float32Array[]> {
    const embeddings: Float32Array[] = new Array(items.length);
    await runTexts(items, run, (item, encoding, result, row) => {
      const pooled = pool(result, row, encoding, pooling, options.output);
      embeddings[item] = Float32Array.from(normalize ? unitLength(pooled) : pooled);
    });
    return embeddings;
  }

  return { embedAll, embed: async (item, run) => (await embedAll([item], run))[0]! };
}

function chooseOutput(outputs: Record<string, Tensor>, wanted: string | undefined): string {
  const names = Object.keys(outputs);
  const ofRank = (rank: number) => names.filter((name) => outputs[name]!.dims.length === rank);
  if (wanted !== undefined ? outputs[wanted] !== undefined : outputs['last_hidden_state'] !== undefined)
    return wanted ?? 'last_hidden_state';
  const candidates = [ofRank(3), ofRank(2)].find((list) => list.length > 0);
  if (wanted === undefined && candidates?.length === 1) return candidates[0]!;
  const looked = wanted === undefined ? 'one output of hidden states' : `an output "${wanted}"`;
  throw new EngineError('E_MODEL', 'text', `the model's outputs are ${names.join(', ') || 'none'}, expected ${looked}`);
}

/** One embedding; sums in double precision. */
function pool(result: BatchResult, row: number, encoding: Encoding, pooling: 'mean' | 'cls', wanted: string | undefined): Float64Array {
  const { outputs, indices, length } = result;
  const name = chooseOutput(outputs, wanted);
  const output = outputs[name]!;
  if (output.dims.length === 2) {
    const hidden = output.dims[1]!;
    return Float64Array.from(floatsOf(output, name, [indices.length, hidden]).subarray(row * hidden, (row + 1) * hidden));
  }
  const data = floatsOf(output, name, [indices.length, length, -1]);
  const hidden = output.dims[2]!;
  const base = row * length * hidden;
  if (pooling === 'cls') return Float64Array.from(data.subarray(base, base + hidden));
  const mean = new Float64Array(hidden);
  for (let token = 0; token < encoding.length; token++) {
    const at = base + token * hidden;
    for (let i = 0; i < hidden; i++) mean[i]! += data[at + i]!;
  }
  return mean.map((sum) => sum / Math.max(1, encoding.length));
}

/** Scales to Euclidean length 1; a zero vector stays. */
function unitLength(vector: Float64Array): Float64Array {
  const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return norm === 0 ? vector : vector.map((value) => value / norm);
}
