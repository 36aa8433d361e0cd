import type { DType, Tensor } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';
import { type QuantizedWeight, quantizedWeight } from '../facts/quantized-weight';
import { type ActivationRange, GraphIndex, type Pass, type PassContext } from '../rewrite';

/** Operand slots, as the schemas list them. */
const PRODUCT = { residual: 3, yMin: 10 } as const;

/**
 * InnerProduct and Attention whose operands a quantised file gives ranges and integer weights for  →  their 8-bit forms.
 *
 * An InnerProduct with an s8 weight reads u8, an 8-bit Attention reads s8 and writes u8. Values are quantised once: by their producer
 * where all readers want the same code, else by a Quantize node that the readers share. Products whose input a file codes at run time
 * read a DynamicQuantize and give f32. Residual sums and LayerNorm stay f32.
 */
export const insertQuantization: Pass = {
  name: 'insert-quantization',
  summary: 'products with integer weights and known ranges get 8-bit operands',
  run: (graph, context) =>
    context.ranges.size === 0 && context.dynamic.size === 0 ? graph : new QuantizationInsertion(graph, context).run(),
};

class QuantizationInsertion {
  private readonly graph: Graph;
  private readonly index: GraphIndex;
  private readonly products = new Map<Node, QuantizedWeight>();
  /** Products whose input is coded at run time. */
  private readonly dynamic = new Map<Node, QuantizedWeight>();
  private readonly attentions = new Set<Node>();
  /** The code of a value by dtype and name. */
  private readonly codes = new Map<string, string>();
  /** Codes, steps and zero points of values that are coded at run time, by name. */
  private readonly tokenCodes = new Map<string, readonly string[]>();
  private readonly limits = new Map<string, readonly [string, string]>();
  /** Codes and limits of weights, which several products may share. */
  private readonly weights = new Map<string, readonly [codes: string, min: string, max: string]>();
  private readonly nodes: Node[] = [];

  constructor(
    private readonly source: Graph,
    private readonly context: PassContext,
  ) {
    this.graph = source.clone();
    this.index = new GraphIndex(this.graph);
  }

  run(): Graph {
    for (const node of this.graph.nodes) if (node.op === 'InnerProduct') this.choose(node);
    for (const node of this.graph.nodes) {
      if (node.op === 'Attention' && this.context.attentions.has(node.outputs[0]!) && this.feedsProductsOnly(node))
        this.attentions.add(node);
    }
    if (this.products.size === 0 && this.dynamic.size === 0) return this.source;
    for (const node of this.graph.nodes) {
      const weight = this.products.get(node);
      const dynamic = this.dynamic.get(node);
      if (weight) this.quantizeProduct(node, weight);
      else if (dynamic) this.quantizeDynamically(node, dynamic);
      else if (this.attentions.has(node)) this.quantizeAttention(node);
      this.nodes.push(node);
    }
    // Weights that were dequantised for nobody else go with their DequantizeLinear.
    for (const node of this.nodes)
      if (node.op === 'DequantizeLinear' && this.index.readersOf(node.outputs[0]!).length === 0 && !this.index.isOutput(node.outputs[0]!))
        this.index.remove(node);
    this.graph.nodes = this.nodes;
    this.index.prune();
    return this.graph;
  }

  private choose(node: Node): void {
    const dequantize = this.index.producer(node.inputs[1]!);
    if (dequantize?.op !== 'DequantizeLinear' || (node.attributes['output_dtype'] ?? 'f32') !== 'f32') return;
    const fixed = this.context.ranges.has(node.inputs[0]!);
    if (!fixed && !this.context.dynamic.has(node.inputs[0]!)) {
      this.context.log.declined(node, 'its input has no range');
      return;
    }
    const weight = quantizedWeight(this.graph, dequantize, node.attributes['transposed'] === true);
    if (typeof weight === 'string') this.context.log.declined(node, weight);
    else (fixed ? this.products : this.dynamic).set(node, weight);
  }

  private feedsProductsOnly(node: Node): boolean {
    const output = node.outputs[0]!;
    const fits = this.context.ranges.has(output) && this.wantedCode(output) === 'u8';
    if (!fits) this.context.log.declined(node, 'its result is not read as u8 throughout');
    return fits;
  }

  /** The code that every reader of a value wants, undefined where one wants f32. */
  private wantedCode(name: string): 'u8' | 's8' | undefined {
    const readers = this.index.readersOf(name);
    if (this.index.isOutput(name) || readers.length === 0) return undefined;
    if (readers.every((reader) => this.products.has(reader) && reader.inputs[0] === name && reader.inputs.indexOf(name, 1) < 0))
      return 'u8';
    if (readers.every((reader) => this.attentions.has(reader) && reader.inputs.indexOf(name, 3) < 0)) return 's8';
    return undefined;
  }

  private quantizeProduct(node: Node, weight: QuantizedWeight): void {
    const x = node.inputs[0]!;
    const y = node.outputs[0]!;
    const codes = this.coded(x, 'u8', node);
    const dtype = node.inputs[PRODUCT.residual] || !this.context.ranges.has(y) ? undefined : this.wantedCode(y);
    const [integers, ...weightLimits] = this.codedWeight(node, weight);
    const inputs = [
      codes,
      integers,
      node.inputs[2] ?? '',
      node.inputs[PRODUCT.residual] ?? '',
      ...this.limitsOf(x, 'u8'),
      ...weightLimits,
      '',
      '',
      ...(dtype ? this.limitsOf(y, dtype) : []),
    ];
    while (inputs.at(-1) === '') inputs.pop();
    this.index.setInputs(node, inputs);
    if (dtype) {
      // The code is the one rounding of what is coded.
      const { rounding: _, ...attributes } = node.attributes;
      node.attributes = { ...attributes, output_dtype: dtype };
      this.becomes(y, dtype);
    }
    this.context.log.hit(node);
  }

  private quantizeDynamically(node: Node, weight: QuantizedWeight): void {
    const [codes, step, zero] = this.codedByToken(node.inputs[0]!, node) as [string, string, string];
    const [integers, ...weightLimits] = this.codedWeight(node, weight);
    this.index.setInputs(node, [
      codes,
      integers,
      node.inputs[2] ?? '',
      node.inputs[PRODUCT.residual] ?? '',
      ...['', ''],
      ...weightLimits,
      ...['', '', '', ''],
      ...[step, zero],
    ]);
    this.context.log.hit(node);
  }

  private codedWeight(node: Node, { codes, min, max }: QuantizedWeight): readonly [codes: string, min: string, max: string] {
    const name = node.inputs[1]!;
    const key = `${node.attributes['transposed'] === true} ${name}`;
    const made = this.weights.get(key) ?? [
      this.graph.addConstant(`${name}_${codes.dtype}`, codes),
      this.graph.addConstant(`${name}_min`, min),
      this.graph.addConstant(`${name}_max`, max),
    ];
    this.weights.set(key, made);
    return made;
  }

  /** Codes, steps and zero points of a value's tokens, from a DynamicQuantize before the first reader. */
  private codedByToken(name: string, before: Node): readonly string[] {
    const found = this.tokenCodes.get(name);
    if (found) return found;
    const { shape } = this.graph.value(name);
    const tokens = shape && [...shape.slice(0, -1), 1];
    const outputs = (['u8', 'step', 'zero'] as const).map((hint) => {
      const free = this.graph.freeName(`${name}_${hint}`);
      return this.graph.addValue({ name: free, dtype: hint === 'u8' ? 'u8' : 'f32', shape: hint === 'u8' ? shape : tokens }).name;
    });
    const node: Node = {
      name: this.index.freeNodeName(`${before.name}/quantize`),
      op: 'DynamicQuantize',
      inputs: [name],
      outputs,
      attributes: {},
    };
    this.index.add(node);
    this.nodes.push(node);
    this.tokenCodes.set(name, outputs);
    return outputs;
  }

  private quantizeAttention(node: Node): void {
    const operands = node.inputs.slice(0, 3);
    const y = node.outputs[0]!;
    const codes = operands.map((operand) => this.coded(operand, 's8', node));
    this.index.setInputs(node, [
      ...codes,
      node.inputs[3] ?? '',
      ...operands.flatMap((operand) => this.limitsOf(operand, 's8')),
      ...this.limitsOf(y, 'u8'),
    ]);
    node.attributes = { ...node.attributes, output_dtype: 'u8' };
    this.becomes(y, 'u8');
    this.context.log.hit(node);
  }

  private becomes(name: string, dtype: DType): void {
    this.graph.value(name).dtype = dtype;
    this.codes.set(`${dtype} ${name}`, name);
  }

  /** The name of a value's code: its own where its producer quantises, else that of a Quantize node before the first reader. */
  private coded(name: string, dtype: 'u8' | 's8', before: Node): string {
    const key = `${dtype} ${name}`;
    const found = this.codes.get(key);
    if (found) return found;
    const value = this.graph.value(name);
    const output = this.graph.addValue({ name: this.graph.freeName(`${name}_${dtype}`), dtype, shape: value.shape }).name;
    const node: Node = {
      name: this.index.freeNodeName(`${before.name}/quantize`),
      op: 'Quantize',
      inputs: [name, ...this.limitsOf(name, dtype)],
      outputs: [output],
      attributes: { dtype },
    };
    this.index.add(node);
    this.nodes.push(node);
    this.codes.set(key, output);
    return output;
  }

  /** The range of a value as constants; one for each dtype it is coded in. */
  private limitsOf(name: string, dtype: 'u8' | 's8'): readonly [string, string] {
    const key = `${dtype} ${name}`;
    const found = this.limits.get(key);
    if (found) return found;
    const range = this.context.ranges.get(name) as ActivationRange;
    const { min, max } = dtype === 's8' ? signedRange(range) : range;
    const made = [this.graph.addConstant(`${name}_min`, scalar(min)), this.graph.addConstant(`${name}_max`, scalar(max))] as const;
    this.limits.set(key, made);
    return made;
  }
}

/** A file's s8 code around 0 spans −128 to 127 steps, the engine's −127 to 127: the step is the same, and so are the codes. */
const signedRange = ({ min, max }: ActivationRange): ActivationRange =>
  Math.abs(max * 128 + min * 127) <= 1e-4 * max ? { min: -max, max } : { min, max };

const scalar = (value: number): Tensor => ({ dtype: 'f32', dims: [1], data: Float32Array.of(value) });
