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
  const nodeOf = matched(products, plain, producers);
  const found = [...products].flatMap((compiled): OnnxProduct[] => {
    const node = nodeOf.get(compiled);
    if (node)
      return [{ node, compiled, weight: graph.constant(compiled.inputs[1])!, transposed: compiled.attributes['transposed'] === true }];
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

/**
 * The node of each product: the one that reads the same weight and the same value, be it through Reshapes. Where none does, as the value has
 * no name in the file, products of one weight stand in the order of its nodes.
 */
function matched(products: Iterable<Node>, nodes: readonly OnnxNode[], producers: ReadonlyMap<string, OnnxNode>): Map<Node, OnnxNode> {
  const found = new Map<Node, OnnxNode>();
  const taken = new Set<OnnxNode>();
  const take = (fits: (node: OnnxNode, x: string) => boolean): void => {
    for (const product of products) {
      const [x, weight] = product.inputs as [string, string];
      const node = found.has(product) ? undefined : nodes.find((each) => each.inputs[1] === weight && !taken.has(each) && fits(each, x));
      if (!node) continue;
      found.set(product, node);
      taken.add(node);
    }
  };
  take((node, x) => reads(node, x, producers));
  take(() => true);
  return found;
}

/** Whether a node's first operand is a value, or a Reshape of it. */
function reads(node: OnnxNode, value: string, producers: ReadonlyMap<string, OnnxNode>): boolean {
  let name = node.inputs[0]!;
  for (let maker = producers.get(name); name !== value && maker?.opType === 'Reshape'; maker = producers.get(name)) name = maker.inputs[0]!;
  return name === value;
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
