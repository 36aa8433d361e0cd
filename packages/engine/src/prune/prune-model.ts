import { EngineError, type Tensor } from '@neural-engine/core';
import { makeTensor, type OnnxModel, type OnnxTensor } from '@neural-engine/onnx';
import { BLOCKS, type BlockName, pruneBlocks, zeroBlockRatio } from '@neural-engine/sparsity';
import { findWeights } from './find-weights';
import { inputSizes } from './input-sizes';

export interface PruneModelOptions {
  /** Share of zero blocks in each weight afterwards, 0 to 1. */
  readonly sparsity: number;
  /** Output channels × inputs that are set to zero together. Default `4x1`, the form that sparse kernels skip. */
  readonly block?: BlockName;
  /** Products to leave alone, by the names of their nodes. */
  readonly keep?: readonly string[];
  /** Feeds of one run each: weights then count by what they do on them, else by their size alone. */
  readonly samples?: AsyncIterable<Readonly<Record<string, Tensor>>> | Iterable<Readonly<Record<string, Tensor>>>;
  readonly threads?: number;
  /** Told how many samples have been run. */
  readonly onProgress?: (samples: number) => void;
}

/** What became of one product's weight. */
export interface PrunedLayer {
  readonly node: string;
  readonly initializer: string | null;
  readonly out: number | null;
  readonly in: number | null;
  /** Share of zero blocks before and after; null where the product was left alone. */
  readonly before: number | null;
  readonly after: number | null;
  /** Share of the weight's squared size (on the samples, where there are some) that is left. */
  readonly kept: number | null;
  /** How blocks were compared, or why the product was left alone. */
  readonly reason: string;
}

/** Products with fewer output channels are heads; pruning them saves nothing. */
const HEAD_CHANNELS = 16;

/**
 * Sets the least important blocks of every product's weight to zero, once, without training. The argument is not changed: the result shares all
 * but the pruned initializers with it.
 *
 * This does not replace pruning while training: at 80% zeros a model that was not trained for it loses most of what it knew.
 *
 * @throws {EngineError} E_USAGE the share is no share, or a name to keep fits no product; E_MODEL there is nothing to prune; what {@link inputSizes} throws.
 */
export async function pruneModel(model: OnnxModel, options: PruneModelOptions): Promise<{ model: OnnxModel; layers: PrunedLayer[] }> {
  const { sparsity, block: name = '4x1', samples, keep = [] } = options;
  if (!(sparsity >= 0 && sparsity <= 1))
    throw new EngineError('E_USAGE', 'usage', `sparsity ${sparsity}: expected a share from 0 to 1`, { where: 'sparsity' });
  const block = BLOCKS[name];
  const { found, skipped } = findWeights(model);
  const known = new Set([...found, ...skipped].map(({ node }) => node));
  const unknown = keep.find((node) => !known.has(node));
  if (unknown !== undefined) throw new EngineError('E_USAGE', 'usage', `keep: no product is named "${unknown}"`, { where: unknown });
  if (found.length === 0) throw new EngineError('E_MODEL', 'usage', 'the model has no product with a constant weight to prune');

  const sizes = samples
    ? await inputSizes(
        model,
        found.flatMap(({ inputs }) => inputs),
        { ...options, samples },
      )
    : undefined;
  const initializers = new Map(model.graph.initializers);
  const layers = found.map(({ node, initializer, inputs, view }): PrunedLayer => {
    const base = { node, initializer, out: view.out, in: view.in };
    const before = zeroBlockRatio(view, block);
    const alone = (reason: string): PrunedLayer => ({ ...base, before, after: before, kept: 1, reason });
    if (keep.includes(node)) return alone('kept by name');
    if (view.out < HEAD_CHANNELS) return alone(`a head of ${view.out} channels`);
    if (view.out % block.rows !== 0) return alone(`${view.out} output channels are no multiple of ${block.rows}`);
    const inputSize =
      sizes &&
      combine(
        inputs.map((value) => sizes.get(value)),
        view.in,
      );
    const { mask, kept } = pruneBlocks(view, { block, sparsity, ...(inputSize ? { inputSizes: inputSize } : {}) });
    initializers.set(initializer, zeroed(model.graph.initializers.get(initializer)!, mask));
    const after = zeroBlockRatio({ ...view, data: (view.data as Float32Array).map((value, i) => (mask[i] ? 0 : value)) }, block);
    const reason = inputSize ? 'by weight times input' : samples ? 'by size: its input was fused away' : 'by size';
    return { ...base, before, after, kept, reason };
  });
  for (const { node, reason } of skipped)
    layers.push({ node, initializer: null, out: null, in: null, before: null, after: null, kept: null, reason });
  return { model: { ...model, graph: { ...model.graph, initializers } }, layers };
}

/** Several products may share a weight: squares of their inputs add up. */
function combine(sizes: readonly (Float32Array | undefined)[], features: number): Float32Array | undefined {
  const present = sizes.filter((size) => size?.length === features) as Float32Array[];
  if (present.length === 0) return undefined;
  return Float32Array.from({ length: features }, (_, i) => Math.hypot(...present.map((size) => size[i]!)));
}

/** A copy with some elements set to zero, whose bits are 0 in every dtype that weights have. */
function zeroed(tensor: OnnxTensor, mask: Uint8Array): OnnxTensor {
  const bytes = Uint8Array.from(tensor.bytes());
  const size = bytes.length / mask.length;
  for (let i = 0; i < mask.length; i++) if (mask[i]) bytes.fill(0, i * size, (i + 1) * size);
  const { docString, metadata } = tensor;
  return Object.assign(makeTensor(tensor.name, tensor.dtype, tensor.dims, bytes), {
    ...(docString === undefined ? {} : { docString }),
    ...(metadata ? { metadata } : {}),
  });
}
