import { EngineError, type Tensor } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';
import type { OnnxModel, OnnxNode } from '@neural-engine/onnx';
import type { Selection } from '../select';

/** A product of the compiled graph and the ONNX node that it came from. */
export interface OnnxProduct {
  readonly node: OnnxNode;
  readonly compiled: Node;
  /** f32 matrix, as the ONNX node reads it. */
  readonly weight: Tensor;
  /** Its axis of output channels is the first. */
  readonly transposed: boolean;
}

/** The products of an attention in the ONNX file; its operands keep their names through compiling. */
export interface OnnxAttention {
  readonly compiled: Node;
  readonly q: string;
  readonly k: string;
  readonly v: string;
  /** Probabilities, and the node that multiplies them by v. */
  readonly probabilities: string;
  readonly context: OnnxNode;
}

/** What was found again in the file, and the names of what was not. */
export interface Found {
  readonly products: readonly OnnxProduct[];
  readonly attentions: readonly OnnxAttention[];
  readonly left: readonly string[];
}

/**
 * Finds the nodes of a file behind what the compiled graph would quantise.
 *
 * A compiled product reads the constant that its MatMul or Gemm reads, under the same name. An attention's result is made by the file's
 * own Reshape, behind a Transpose and the product of probabilities and values.
 * @throws {EngineError} E_QUANT no product was found.
 */
export function findInOnnx(model: OnnxModel, graph: Graph, { products, attentions }: Selection): Found {
  const { nodes } = model.graph;
  const plain = nodes.filter(({ domain, opType }) => domain === '' && (opType === 'MatMul' || opType === 'Gemm'));
  const producers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const left: string[] = [];
  const found = [...products].flatMap((compiled): OnnxProduct[] => {
    const [x, weight] = compiled.inputs as [string, string];
    const candidates = plain.filter(({ inputs }) => inputs[1] === weight);
    const node = candidates.length > 1 ? (candidates.find(({ inputs }) => inputs[0] === x) ?? candidates[0]) : candidates[0];
    if (node) return [{ node, compiled, weight: graph.constant(weight)!, transposed: compiled.attributes['transposed'] === true }];
    left.push(compiled.name);
    return [];
  });
  if (found.length === 0)
    throw new EngineError('E_QUANT', 'quantize', 'none of the products that would be quantised is a MatMul or Gemm of the file');
  const blocks = [...attentions].flatMap((compiled): OnnxAttention[] => {
    const [q, k, v] = compiled.inputs as [string, string, string];
    const context = contextProduct(producers, compiled.outputs[0]!);
    if (context && [q, k, v].every((name) => producers.has(name)))
      return [{ compiled, q, k, v, probabilities: context.inputs[0]!, context }];
    left.push(compiled.name);
    return [];
  });
  return { products: found, attentions: blocks, left };
}

/** The MatMul behind Reshape(Transpose(MatMul(probabilities, v))). */
function contextProduct(producers: ReadonlyMap<string, OnnxNode>, y: string): OnnxNode | undefined {
  let node = producers.get(y);
  for (const opType of ['Reshape', 'Transpose']) {
    if (node?.opType !== opType) return undefined;
    node = producers.get(node.inputs[0]!);
  }
  return node?.opType === 'MatMul' ? node : undefined;
}
