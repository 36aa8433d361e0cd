import { s64, type Tensor } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';

const f32 = (value: number): Tensor => ({ dtype: 'f32', dims: [], data: Float32Array.of(value) });

/** Appends nodes to a list, giving each result a fresh name. Shapes are filled in by inference afterwards. */
class Expansion {
  readonly nodes: Node[] = [];
  constructor(
    private readonly graph: Graph,
    private readonly source: Node,
  ) {}

  op(op: string, inputs: string[], attributes: Node['attributes'] = {}, output?: string): string {
    const name = `${this.source.name}/${op}${this.nodes.length}`;
    const result = output ?? this.graph.addValue({ name: this.graph.freeName(name), dtype: 'f32', shape: undefined }).name;
    this.nodes.push({ name, op, inputs, outputs: [result], attributes });
    return result;
  }

  constant(hint: string, value: Tensor): string {
    return this.graph.addConstant(`${this.source.name}/${hint}`, value);
  }
}

/** PaddingMask → comparison, choice and reshape, for consumers other than panel attention. */
function expandPaddingMask(graph: Graph, node: Node): Node[] {
  const e = new Expansion(graph, node);
  const isToken = e.op('Cast', [node.inputs[0]!], { to: 'bool' });
  graph.value(isToken).dtype = 'bool';
  const masked = e.constant('masked', f32(node.attributes['value'] as number));
  const flat = e.op('Where', [isToken, e.constant('zero', f32(0)), masked]);
  e.op('Unsqueeze', [flat, e.constant('axes', s64([1, 2]))], {}, node.outputs[0]!);
  return e.nodes;
}

/** Attention whose mask is not a key mask → split heads, scaled product, mask, softmax, product, merge heads. */
function expandAttention(graph: Graph, node: Node): Node[] {
  const e = new Expansion(graph, node);
  const heads = node.attributes['heads'] as number;
  const [q, k, v, mask] = node.inputs as [string, string, string, string | undefined];
  const split = e.constant('split', s64([0, 0, heads, -1]));
  const by = (input: string, perm: number[]): string => e.op('Transpose', [e.op('Reshape', [input, split])], { perm });
  const product = e.op('MatMul', [by(q, [0, 2, 1, 3]), by(k, [0, 2, 3, 1])]);
  const scaled = e.op('Mul', [product, e.constant('scale', f32(node.attributes['scale'] as number))]);
  const masked = mask ? e.op('Add', [scaled, mask]) : scaled;
  const context = e.op('MatMul', [e.op('Softmax', [masked], { axis: -1 }), by(v, [0, 2, 1, 3])]);
  e.op('Reshape', [e.op('Transpose', [context], { perm: [0, 2, 1, 3] }), e.constant('merge', s64([0, 0, -1]))], {}, node.outputs[0]!);
  return e.nodes;
}

/** Replaces engine operators that no panel step covers by ONNX-like ones. `keep` says which nodes stay. */
export function decompose(graph: Graph, keep: (node: Node) => boolean): void {
  graph.nodes = graph.nodes.flatMap((node) => {
    if (keep(node)) return [node];
    if (node.op === 'PaddingMask') return expandPaddingMask(graph, node);
    if (node.op === 'Attention') return expandAttention(graph, node);
    if (node.op === 'LayerNorm') return [{ ...node, op: 'LayerNormalization', attributes: { ...node.attributes, axis: -1 } }];
    return [node];
  });
}
