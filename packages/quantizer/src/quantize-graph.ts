import { EngineError, type Tensor } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';
import { roundWeight } from './bf16';
import { preActivation } from './calibration-graph';
import type { Range } from './histogram';
import type { Recipe } from './recipe';
import { type Selection, select } from './select';
import { quantizeWeight } from './weight';

/** Values whose ranges static quantisation needs, among them those before activations. */
export function observedValues(graph: Graph, recipe: Recipe = {}): string[] {
  const { products, attentions } = select(graph, recipe);
  const names = new Set<string>();
  for (const node of products) {
    names.add(node.inputs[0]!);
    if ((node.attributes['activation'] ?? 'none') !== 'none') names.add(preActivation(node.name));
  }
  for (const node of attentions) for (const name of [...node.inputs.slice(0, 3), node.outputs[0]!]) names.add(name);
  return [...names];
}

/**
 * Static int8: weights s8 per output channel, activations u8 per tensor, attention products s8 and u8, by ranges that calibration found.
 *
 * Returns a new graph; residual sums, LayerNorm and softmax stay f32.
 * @throws {EngineError} E_QUANT the graph is quantised already, or a range is missing.
 */
export function quantizeGraph(source: Graph, ranges: ReadonlyMap<string, Range>, recipe: Recipe = {}): Graph {
  const graph = source.clone();
  const selection = select(graph, recipe);
  return new StaticQuantization(graph, selection, ranges).apply();
}

const scalar = (value: number): Tensor => ({ dtype: 'f32', dims: [1], data: Float32Array.of(value) });

class StaticQuantization {
  private readonly consumers: Map<string, Node[]>;
  private readonly codes = new Map<string, string>();
  private readonly limits = new Map<string, [string, string]>();

  constructor(
    private readonly graph: Graph,
    private readonly selection: Selection,
    private readonly ranges: ReadonlyMap<string, Range>,
  ) {
    this.consumers = graph.consumers();
  }

  apply(): Graph {
    const { graph } = this;
    const out: Node[] = [];
    for (const node of graph.nodes) {
      if (this.selection.products.has(node)) this.product(node, out);
      else if (this.selection.attentions.has(node)) this.attention(node);
      else if (this.selection.halves.has(node)) this.half(node);
      out.push(node);
    }
    graph.nodes = out;
    return graph;
  }

  private product(node: Node, out: Node[]): void {
    const x = node.inputs[0]!;
    const weightName = node.inputs[1]!;
    const weight = quantizeWeight(this.graph.constant(weightName)!, node.attributes['transposed'] === true, weightName);
    const codes = this.quantized(x, out);
    const [xMin, xMax] = this.limitsOf(x);
    const y = node.outputs[0]!;
    const slots = ['', '', '', ''];
    const attributes: Record<string, Node['attributes'][string]> = { ...node.attributes, output_dtype: 'f32' };
    const readers = this.consumers.get(y) ?? [];
    const internal = readers.length > 0 && !this.graph.outputs.includes(y);
    const toAttention = internal && readers.every((reader) => this.selection.attentions.has(reader));
    const toProducts =
      internal && readers.every((reader) => this.selection.products.has(reader) && reader.inputs[0] === y && reader.inputs[3] !== y);
    if ((toAttention || toProducts) && !node.inputs[3]) {
      const dtype = toAttention ? 's8' : 'u8';
      attributes['output_dtype'] = dtype;
      this.graph.value(y).dtype = dtype;
      this.codes.set(y, y);
      [slots[2], slots[3]] = this.limitsOf(y);
      if ((attributes['activation'] ?? 'none') !== 'none') [slots[0], slots[1]] = this.limitsOf(preActivation(node.name));
    }
    const constant = (hint: string, tensor: Tensor): string => this.graph.addConstant(`${weightName}${hint}`, tensor);
    node.inputs = [
      codes,
      constant('_s8', weight.data),
      node.inputs[2] ?? '',
      node.inputs[3] ?? '',
      xMin,
      xMax,
      constant('_min', weight.min),
      constant('_max', weight.max),
      ...(slots as [string, string, string, string]),
    ];
    node.attributes = attributes;
  }

  /** A product that stays between int8 ones in bf16: its weight is rounded, its input and result are f32. */
  private half(node: Node): void {
    const name = node.inputs[1]!;
    const bf16 = this.graph.addConstant(`${name}_bf16`, roundWeight(this.graph.constant(name)!, name));
    node.inputs = node.inputs.map((input, slot) => (slot === 1 ? bf16 : input));
  }

  private attention(node: Node): void {
    const y = node.outputs[0]!;
    node.inputs = [
      ...node.inputs.slice(0, 3),
      node.inputs[3] ?? '',
      ...[...node.inputs.slice(0, 3), y].flatMap((name) => this.limitsOf(name)),
    ];
    node.attributes = { ...node.attributes, output_dtype: 'u8' };
    this.graph.value(y).dtype = 'u8';
    this.codes.set(y, y);
  }

  /** The u8 form of a value: made by its producer, or by one Quantize node that all readers share. */
  private quantized(x: string, out: Node[]): string {
    const found = this.codes.get(x);
    if (found) return found;
    const [min, max] = this.limitsOf(x);
    const { shape } = this.graph.value(x);
    const name = this.graph.addValue({ name: this.graph.freeName(`${x}_u8`), dtype: 'u8', shape }).name;
    out.push({ name: `${x}/quantize`, op: 'Quantize', inputs: [x, min, max], outputs: [name], attributes: { dtype: 'u8' } });
    this.codes.set(x, name);
    return name;
  }

  private limitsOf(name: string): [string, string] {
    const found = this.limits.get(name);
    if (found) return found;
    const range = this.ranges.get(name);
    if (!range) throw new EngineError('E_QUANT', 'quantize', `calibration found no range for "${name}"`, { where: name });
    const made: [string, string] = [
      this.graph.addConstant(`${name}_min`, scalar(range.min)),
      this.graph.addConstant(`${name}_max`, scalar(range.max)),
    ];
    this.limits.set(name, made);
    return made;
  }
}
