import { type DType, s64, type Tensor } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';
import { codeOf, rangeInput } from './codes';
import { isPanelAttention, isPanelCode, isPanelNorm } from './select-panels';

const f32 = (value: number): Tensor => ({ dtype: 'f32', dims: [], data: Float32Array.of(value) });

/** Appends nodes to a list, giving each result a fresh name. Shapes are filled in by inference afterwards. */
class Expansion {
  readonly nodes: Node[] = [];
  constructor(
    private readonly graph: Graph,
    private readonly source: Node,
  ) {}

  op(op: string, inputs: string[], attributes: Node['attributes'] = {}, output?: string, dtype: DType = 'f32'): string {
    const name = `${this.source.name}/${op}${this.nodes.length}`;
    const result = output ?? this.graph.addValue({ name: this.graph.freeName(name), dtype, shape: undefined }).name;
    this.nodes.push({ name, op, inputs, outputs: [result], attributes });
    return result;
  }

  /** An f32 value of the shape of another. */
  like(name: string): string {
    return this.graph.addValue({ name: this.graph.freeName(`${name}_f32`), dtype: 'f32', shape: this.graph.value(name).shape }).name;
  }

  /** A value rounded by a range attribute, where the source has one. */
  rounded(x: string, attribute: string): string {
    const [min, max] = (this.source.attributes[attribute] ?? []) as readonly number[];
    if (min === undefined || max === undefined) return x;
    const range = [this.constant('min', f32(min)), this.constant('max', f32(max))];
    return this.op('Dequantize', [this.op('Quantize', [x, ...range], { dtype: 'u8' }, undefined, 'u8'), ...range]);
  }

  /** A value as f32: itself, or what its 8-bit codes stand for. */
  real(name: string, range: string[]): string {
    return this.graph.value(name).dtype === 'f32' ? name : this.op('Dequantize', [name, ...range], {}, this.like(name));
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

/** The first range of an Attention's operands: q, k, v and y follow each other. */
const RANGES = 4;

/** Attention that no panel step computes → split heads, scaled product, mask, softmax, product, merge heads, all in f32. */
function expandAttention(graph: Graph, node: Node): Node[] {
  const e = new Expansion(graph, node);
  const heads = node.attributes['heads'] as number;
  const mask = node.inputs[3];
  const [q, k, v] = [0, 1, 2].map((slot) => e.real(node.inputs[slot]!, node.inputs.slice(RANGES + 2 * slot, RANGES + 2 * slot + 2)));
  const split = e.constant('split', s64([0, 0, heads, -1]));
  const by = (input: string, perm: number[]): string => e.op('Transpose', [e.op('Reshape', [input, split])], { perm });
  const product = e.op('MatMul', [by(q!, [0, 2, 1, 3]), by(k!, [0, 2, 3, 1])]);
  const scaled = e.rounded(e.op('Mul', [product, e.constant('scale', f32(node.attributes['scale'] as number))]), 'score_range');
  const masked = mask ? e.op('Add', [scaled, mask]) : scaled;
  const probabilities = e.rounded(e.op('Softmax', [masked], { axis: -1 }), 'probability_range');
  const context = e.op('MatMul', [probabilities, by(v!, [0, 2, 1, 3])]);
  const merged = [e.op('Transpose', [context], { perm: [0, 2, 1, 3] }), e.constant('merge', s64([0, 0, -1]))];
  const y = graph.value(node.outputs[0]!);
  if (y.dtype === 'f32') e.op('Reshape', merged, {}, y.name);
  else e.op('Quantize', [e.op('Reshape', merged, {}, e.like(y.name)), ...node.inputs.slice(RANGES + 6)], { dtype: y.dtype }, y.name);
  return e.nodes;
}

/** LayerNorm of what does not run as panels → ONNX's own, and the rounding of its result. */
function expandNorm(graph: Graph, node: Node): Node[] {
  const attributes = { epsilon: node.attributes['epsilon'] ?? 1e-5, axis: -1 };
  if (node.attributes['rounding'] !== 'bf16') return [{ ...node, op: 'LayerNormalization', attributes }];
  const e = new Expansion(graph, node);
  const exact = e.op('LayerNormalization', node.inputs, attributes, e.like(node.outputs[0]!));
  e.op('Cast', [e.op('Cast', [exact], { to: 'bf16' }, undefined, 'bf16')], { to: 'f32' }, node.outputs[0]!);
  return e.nodes;
}

/** Token types of another integer dtype than the ids → a Cast before the embeddings, whose kernel takes one dtype for both. */
function castTypes(graph: Graph, node: Node): Node[] {
  const [ids, , , types] = node.inputs as [string, string, string?, string?];
  const { dtype } = graph.value(ids);
  if (!types || graph.value(types).dtype === dtype) return [node];
  const e = new Expansion(graph, node);
  const cast = e.op('Cast', [types], { to: dtype }, undefined, dtype);
  return [...e.nodes, { ...node, inputs: node.inputs.with(3, cast) }];
}

/** Quantize and Dequantize of what does not run as panels → ONNX's own, and the sum with a bias. */
function expandCode(graph: Graph, node: Node): Node[] {
  const e = new Expansion(graph, node);
  const [x, , , bias] = node.inputs as [string, string, string, string | undefined];
  const { min, max } = rangeInput(graph, node, 1, 'the value');
  const dtype = node.op === 'Quantize' ? graph.value(node.outputs[0]!).dtype : graph.value(x).dtype;
  const { scale, zero } = codeOf(dtype as 'u8' | 's8', min, max);
  const zeroPoint: Tensor = { dtype, dims: [], data: dtype === 'u8' ? Uint8Array.of(zero) : Int8Array.of(zero) };
  const operands = [x, e.constant('step', f32(1 / scale)), e.constant('zero', zeroPoint)];
  if (!bias) e.op(`${node.op}Linear`, operands, {}, node.outputs[0]!);
  else e.op('Add', [e.op('DequantizeLinear', operands), bias], {}, node.outputs[0]!);
  return e.nodes;
}

/** Whether a panel attention obeys this mask: the runtime reads the mask behind it, and needs no additive one. */
const isKeyMaskOf = (reader: Node, mask: string): boolean => reader.op === 'Attention' && reader.inputs[3] === mask;

/**
 * PaddingMask where others than panel attention read it  →  the arithmetic it stands for, under its name. Attention reads one of its own.
 */
function expandPaddingMasks(graph: Graph): void {
  const consumers = graph.consumers();
  graph.nodes = graph.nodes.flatMap((node) => {
    const mask = node.outputs[0]!;
    const readers = node.op === 'PaddingMask' ? (consumers.get(mask) ?? []) : [];
    const attentions = readers.filter((reader) => isKeyMaskOf(reader, mask));
    if (node.op !== 'PaddingMask' || (attentions.length === readers.length && !graph.outputs.includes(mask))) return [node];
    if (attentions.length === 0) return expandPaddingMask(graph, node);
    const own = graph.addValue({ ...graph.value(mask), name: graph.freeName(mask) }).name;
    for (const reader of attentions) reader.inputs = reader.inputs.with(3, own);
    return [{ ...node, outputs: [own] }, ...expandPaddingMask(graph, { ...node, name: `${node.name}/additive` })];
  });
}

/** Replaces engine operators that no panel step covers, and the given attentions, by ONNX-like ones. */
export function decompose(graph: Graph, attentions: ReadonlySet<Node> = new Set()): void {
  const producers = graph.producers();
  const consumers = graph.consumers();
  graph.nodes = graph.nodes.flatMap((node) => {
    if (node.op === 'Attention' && (attentions.has(node) || !isPanelAttention(graph, node, producers, consumers)))
      return expandAttention(graph, node);
    if (node.op === 'LayerNorm' && !isPanelNorm(graph, node)) return expandNorm(graph, node);
    if (node.op === 'Embeddings') return castTypes(graph, node);
    return [node];
  });
  graph.nodes = graph.nodes.flatMap((node) =>
    (node.op === 'Quantize' || node.op === 'Dequantize') && !isPanelCode(graph, node) ? expandCode(graph, node) : [node],
  );
  expandPaddingMasks(graph);
}
