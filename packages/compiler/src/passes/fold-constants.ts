import { dtypeBytes, EngineError, elementCount, isStatic, LIMITS, type Tensor, widen } from '@neural-engine/core';
import { evaluateNode, type Graph, inferNode, type KnownValue, type Node, schemaOf } from '@neural-engine/ir';
import { GraphIndex, type Pass, type PassContext } from '../rewrite';

/** Kept for the quantisation passes, which want to see the integers: weight matrices. */
const isQuantizedWeight = (node: Node, graph: Graph): boolean =>
  node.op === 'DequantizeLinear' &&
  ['s8', 'u8'].includes(graph.value(node.inputs[0]!).dtype) &&
  graph.value(node.inputs[0]!).shape?.length === 2;
const IMPURE = new Set(['RandomNormal', 'RandomNormalLike', 'RandomUniform', 'RandomUniformLike', 'Bernoulli', 'Multinomial']);
/** A result up to this many times its operands is no expansion: f16 to f32 doubles. */
const HARMLESS_GROWTH = 2;

export interface FoldOptions {
  readonly name: string;
  readonly summary: string;
  /** Nodes to leave. */
  readonly keeps: (node: Node, graph: Graph) => boolean;
}

/** Constants and shape arithmetic that is known, computed now: one pass for each choice of what is left. */
function foldPass({ name, summary, keeps }: FoldOptions): Pass {
  return { name, summary, run: (graph, context) => new Folding(graph, context, keeps).run() };
}

/**
 * Operators over constants  →  constants; shape arithmetic whose result is known counts as constant.
 *
 * Weights that are stored as f16 behind a Cast become f32. Weights behind DequantizeLinear stay. A node whose result is above
 * 64 MiB and larger than twice its operands is left alone, and so is everything once 512 MiB (or four times the model) are folded.
 */
export const foldConstants = foldPass({
  name: 'fold-constants',
  summary: 'operators over constants, and shape arithmetic that is known, are computed now',
  keeps: isQuantizedWeight,
});

/** What the quantisation passes left: DequantizeLinear of constants  →  f32 constants. */
export const foldDequantized = foldPass({
  name: 'fold-dequantized',
  summary: 'integer constants that no quantised operator took become f32',
  keeps: () => false,
});

class Folding {
  private readonly graph: Graph;
  private readonly index: GraphIndex;
  private readonly known = new Map<string, KnownValue>();
  private left: number;

  constructor(
    private readonly source: Graph,
    private readonly context: PassContext,
    private readonly keeps: FoldOptions['keeps'],
  ) {
    this.graph = source.clone();
    this.index = new GraphIndex(this.graph);
    let stored = 0;
    for (const value of source.values.values()) stored += value.constant?.data.byteLength ?? 0;
    this.left = Math.max(LIMITS.foldedBytesTotal, 4 * stored);
  }

  run(): Graph {
    for (const node of this.graph.nodes) if (!this.index.isDead(node)) this.visit(node);
    if (this.context.log.hits === 0) return this.source;
    this.index.prune();
    return this.graph;
  }

  private visit(node: Node): void {
    const inferred = inferNode(node, (name) => this.known.get(name) ?? this.graph.value(name), { check: false });
    node.outputs.forEach((output, i) => {
      if (output && inferred[i]) this.known.set(output, inferred[i]);
    });
    if (this.keeps(node, this.graph) || IMPURE.has(node.op) || node.outputs.some((output) => this.index.isOutput(output))) return;
    const results = settled(inferred, node) ?? this.evaluate(node, inferred);
    if (!results) return;
    node.outputs.forEach((output, i) => {
      const constant = results[i];
      if (!output || !constant) return;
      this.graph.values.set(output, { ...this.graph.value(output), dtype: constant.dtype, shape: constant.dims, constant });
      this.known.delete(output);
    });
    this.index.removeProducer(node);
    this.context.log.hit(node);
  }

  private evaluate(node: Node, inferred: readonly KnownValue[]): readonly Tensor[] | undefined {
    const inputs = node.inputs.map((name) => (name ? this.graph.constant(name) : undefined));
    if (node.inputs.length === 0 || node.inputs.some((name, i) => name && !inputs[i]) || !schemaOf(node.op)?.evaluate) return undefined;
    const bytes = resultBytes(inferred);
    if (bytes === undefined) return undefined;
    const obstacle = this.obstacle(bytes, inputs);
    if (obstacle) {
      this.context.log.declined(node, obstacle);
      return undefined;
    }
    const results = widened(node, inputs) ?? this.computed(node, inputs);
    if (results) this.left -= bytes;
    return results;
  }

  /** The results, or undefined where computing them takes too many multiplications. */
  private computed(node: Node, inputs: readonly (Tensor | undefined)[]): readonly Tensor[] | undefined {
    try {
      return evaluateNode(node, inputs, { limitBytes: Number.POSITIVE_INFINITY });
    } catch (error) {
      if (!EngineError.isInstance(error) || error.code !== 'E_LIMIT') throw error;
      this.context.log.declined(node, error.message);
      return undefined;
    }
  }

  private obstacle(bytes: number, inputs: readonly (Tensor | undefined)[]): string | undefined {
    const read = inputs.reduce((sum, tensor) => sum + (tensor?.data.byteLength ?? 0), 0);
    if (bytes > LIMITS.foldedBytesPerNode && bytes > HARMLESS_GROWTH * read) {
      return `the result has ${bytes} bytes, above the limit of ${LIMITS.foldedBytesPerNode}`;
    }
    return bytes > this.left ? `all folded results together are above the limit of ${LIMITS.foldedBytesTotal} bytes` : undefined;
  }
}

/** Results that inference has computed already: shape arithmetic, and small constants. */
function settled(inferred: readonly KnownValue[], node: Node): readonly Tensor[] | undefined {
  if (inferred.length === 0 || inferred.length < node.outputs.length) return undefined;
  return inferred.every(({ constant }) => constant) ? inferred.map(({ constant }) => constant!) : undefined;
}

/** Bytes of all results; undefined where a shape is not known. */
function resultBytes(inferred: readonly KnownValue[]): number | undefined {
  let bytes = 0;
  for (const { dtype, shape } of inferred) {
    if (!shape || !isStatic(shape) || dtype === 'string') return undefined;
    bytes += elementCount(shape, 'folded result', 'compile') * dtypeBytes(dtype);
  }
  return bytes;
}

/** A 16-bit weight as f32, by the fast way: most of a file that stores its weights in 16 bits is this. */
function widened(node: Node, [x]: readonly (Tensor | undefined)[]): Tensor[] | undefined {
  if (node.op !== 'Cast' || node.attributes['to'] !== 'f32' || !x || (x.dtype !== 'f16' && x.dtype !== 'bf16')) return undefined;
  return [{ dtype: 'f32', dims: x.dims, data: widen(x.data as Uint16Array, x.dtype) }];
}
