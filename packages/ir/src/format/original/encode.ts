import { type DType, EngineError } from '@neural-engine/core';
import type { Graph, Node } from '../../graph';
import { dtypeToFile } from '../dtypes';
import { saveFiles } from '../save-files';
import { type EncodedIr, sealIr, type WriteIrOptions } from '../write-ir';
import { joinLogits } from './join-logits';
import { lowerAttention } from './lower-attention';
import { lowerLayerNorm, lowerQuantize, lowerReorder } from './lower-codes';
import { lowerEmbeddings, lowerPaddingMask } from './lower-embeddings';
import { lowerGather, lowerOutput, lowerReshape, lowerSlice, lowerSqueeze } from './lower-heads';
import { lowerInnerProduct } from './lower-linear';
import { Lowering, type OriginalIrOptions, refuse } from './lowering';

const LOWERERS: Readonly<Record<string, (lower: Lowering, node: Node) => void>> = {
  Embeddings: lowerEmbeddings,
  PaddingMask: lowerPaddingMask,
  InnerProduct: lowerInnerProduct,
  Attention: lowerAttention,
  LayerNorm: lowerLayerNorm,
  Quantize: lowerQuantize,
  Reorder: lowerReorder,
  Slice: lowerSlice,
  Gather: lowerGather,
  Reshape: lowerReshape,
  Squeeze: lowerSqueeze,
};

/**
 * A graph in the dialect of the original, whose tools load what comes out: conf.yaml and the parts of model.bin.
 *
 * For encoders in fp32 and static int8, transposed or not, with their heads. Integer inputs become s32; ranges before an activation have
 * no place there and are left out. The same graph gives the same bytes.
 * @throws {EngineError} E_UNSUPPORTED every operator that has no counterpart, each with its reason.
 */
export function encodeOriginalIr(source: Graph, options: OriginalIrOptions = {}): EncodedIr {
  const joined = joinLogits(source);
  const graph = (options.singleLogits && joined) || source;
  const lower = new Lowering(graph, options);
  const reasons: string[] = [];
  const attempt = <T>(title: string, step: () => T): T | undefined => {
    try {
      return step();
    } catch (error) {
      if (!EngineError.isInstance(error) || error.code !== 'E_UNSUPPORTED') throw error;
      reasons.push(`${title}: ${error.message}`);
      return undefined;
    }
  };
  for (const name of graph.inputs) attempt(`input "${name}"`, () => lowerInput(lower, name));
  // What reads a result that could not be written is not reported again.
  const missing = new Set<string>(graph.inputs.filter((name) => !lower.form(name)));
  for (const node of graph.nodes) {
    const lowered =
      !node.inputs.some((input) => missing.has(input)) && attempt(`"${node.name}" (${node.op})`, () => lowerNode(lower, node));
    if (!lowered) for (const output of node.outputs) missing.add(output);
  }
  const outputs = graph.outputs.flatMap((name) =>
    missing.has(name) ? [] : (attempt(`output "${name}"`, () => lowerOutput(lower, name)) ?? []),
  );
  if (reasons.length > 0) {
    const hint = joined && !options.singleLogits ? '; singleLogits writes start and end logits as one tensor' : '';
    const shown = reasons.slice(0, 20).join('; ');
    throw new EngineError(
      'E_UNSUPPORTED',
      'save',
      `${reasons.length} have no counterpart in the original's files: ${shown}${reasons.length > 20 ? '; …' : ''}${hint}`,
    );
  }
  const { config, weights } = lower.file.finish(outputs);
  return sealIr(config, weights, new Map());
}

/**
 * Saves a graph in the dialect of the original: conf.yaml and model.bin, whole or not at all.
 *
 * @throws {EngineError} what {@link encodeOriginalIr} throws; E_CANTCREAT, E_LOCKED, E_SPACE, E_IO what went wrong; what was there is untouched.
 */
export async function writeOriginalIr(graph: Graph, directory: string, options: OriginalIrOptions & WriteIrOptions = {}): Promise<void> {
  const { config, weights, digest } = encodeOriginalIr(graph, options);
  await saveFiles(directory, config, weights, digest, options);
}

/** Integer inputs are s32 there. */
function lowerInput(lower: Lowering, name: string): void {
  const { dtype, shape } = lower.graph.value(name);
  const fileDtype: DType = dtype === 's64' ? 's32' : dtype;
  const dims = (shape ?? refuse('its rank is not known')).map((dim) => (typeof dim === 'number' ? dim : -1));
  const tensor = lower.file.input(name, dtypeToFile(fileDtype, name), dims);
  lower.setForm(name, { tensor, kind: 'input', transposed: false });
}

function lowerNode(lower: Lowering, node: Node): true {
  if (lower.plans.absorbed.has(node)) return true;
  const step = Object.hasOwn(LOWERERS, node.op) ? LOWERERS[node.op]! : refuse('there is no such operator');
  step(lower, node);
  return true;
}
