import { EngineError, type Tensor } from '@neural-engine/core';
import type { Graph, Node, Value } from '@neural-engine/ir';
import { roundBetween } from './between';
import { roundWeight } from './bf16';
import { preActivation } from './calibration-graph';
import { divided, inputAxis, outputAxis, taken, zeroed } from './channels/matrix';
import type { Range } from './histogram';
import type { Recipe } from './recipe';
import { type Selection, select } from './select';
import type { ValueRange } from './value-range';
import { PerWeight } from './weight';

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
 * Returns a new graph; residual sums, LayerNorm and softmax are computed in f32 and, where the recipe has bf16 `between`, what products
 * and LayerNorm give one another is rounded to that. Where ranges are `balanced`, a second LayerNorm makes what is coded;
 * where they have `parts`, products of their own make and read the channels that stand out.
 * @throws {EngineError} E_QUANT the graph is quantised already, or a range is missing.
 */
export function quantizeGraph(source: Graph, ranges: ReadonlyMap<string, ValueRange>, recipe: Recipe = {}): Graph {
  const graph = source.clone();
  const selection = select(graph, recipe);
  if (recipe.between === 'bf16') roundBetween(graph, selection);
  return new StaticQuantization(graph, selection, ranges).apply();
}

/** What one 8-bit product multiplies, before it is coded. */
interface Factors {
  readonly node: Node;
  /** Begins the names of what is made for it. */
  readonly name: string;
  readonly codes: string;
  readonly codesLimits: Limits;
  readonly weight: Tensor;
  readonly bias: string;
  readonly residual: string;
  /** Of the value before the activation and of the result, where the result is coded. */
  readonly made: readonly string[];
}

type Limits = readonly [min: string, max: string];

class StaticQuantization {
  private readonly producers: Map<string, Node>;
  private readonly consumers: Map<string, Node[]>;
  private readonly codes = new Map<string, string>();
  private readonly limits = new Map<string, Limits>();
  private readonly weights = new PerWeight(({ data, min, max }, _, name) => {
    const constant = (hint: string, tensor: Tensor): string => this.graph.addConstant(`${name}${hint}`, tensor);
    return { data: constant('_s8', data), limits: [constant('_min', min), constant('_max', max)] };
  });
  /** Codes of the channels that stand out, by the value that has the others. */
  private readonly outliers = new Map<string, string>();

  constructor(
    private readonly graph: Graph,
    private readonly selection: Selection,
    private readonly ranges: ReadonlyMap<string, ValueRange>,
  ) {
    this.producers = graph.producers();
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
    const read = new Set([...graph.outputs, ...out.flatMap((node) => node.inputs)]);
    // A LayerNorm whose balanced form has all its readers.
    graph.nodes = out.filter((node) => node.op !== 'LayerNorm' || node.outputs.some((name) => read.has(name)));
    return graph;
  }

  private product(node: Node, out: Node[]): void {
    const [x, name] = node.inputs as [string, string];
    const weight = this.graph.constant(name)!;
    const balanced = this.balanced(x);
    let factors: Factors = {
      node,
      name,
      codes: balanced ? this.balancedCodes(x, balanced, out) : this.quantized(x, out),
      codesLimits: balanced ? this.limitsOf(x, 'balanced', balanced.range) : this.limitsOf(x),
      weight: balanced ? divided(weight, inputAxis(isTransposed(node)), balanced.multipliers) : weight,
      bias: node.inputs[2] ?? '',
      residual: node.inputs[3] ?? '',
      made: [],
    };
    if (this.outliers.has(x)) factors = this.readParts(factors, x, out);
    const dtype = this.codedAs(node);
    if (dtype) factors = this.make(factors, dtype, out);
    node.inputs = this.operands(factors);
    // What is coded is not rounded before.
    const { rounding: _, ...attributes } = node.attributes;
    node.attributes = { ...(dtype ? attributes : node.attributes), output_dtype: dtype ?? 'f32' };
  }

  /** What all readers of a product's result read it as, undefined for f32. */
  private codedAs(node: Node): 's8' | 'u8' | undefined {
    const y = node.outputs[0]!;
    const readers = this.consumers.get(y) ?? [];
    if (node.inputs[3] || readers.length === 0 || this.graph.outputs.includes(y)) return undefined;
    if (readers.every((reader) => this.selection.attentions.has(reader))) return 's8';
    return readers.every((reader) => this.selection.products.has(reader) && reader.inputs[0] === y && reader.inputs[3] !== y)
      ? 'u8'
      : undefined;
  }

  /** Lets a product write codes; channels that stand out are made by a product of their own. */
  private make(factors: Factors, dtype: 's8' | 'u8', out: Node[]): Factors {
    const { node } = factors;
    const y = node.outputs[0]!;
    this.graph.value(y).dtype = dtype;
    this.codes.set(y, y);
    const active = (node.attributes['activation'] ?? 'none') !== 'none';
    const before = active ? preActivation(node.name) : undefined;
    const parts = this.partsOf(y);
    if (!parts) return { ...factors, made: [...(before ? this.limitsOf(before) : ['', '']), ...this.limitsOf(y)] };
    const made = (part: 'outliers' | 'rest'): string[] => [
      ...(before ? this.limitsOf(before, part, this.ranges.get(before)?.parts?.[part]) : ['', '']),
      ...this.limitsOf(y, part, parts[part]),
    ];
    const axis = outputAxis(isTransposed(node));
    const { shape } = this.graph.value(y);
    const bias = this.graph.constant(factors.bias);
    const row = bias && { ...bias, dims: [1, bias.data.length] };
    const biasOf = (hint: string, tensor: Tensor | undefined): string =>
      tensor ? this.graph.addConstant(`${factors.bias}_${hint}`, { ...tensor, dims: [tensor.data.length] }) : '';
    const of = {
      ...factors,
      weight: taken(factors.weight, axis, parts.channels),
      bias: biasOf('outliers', row && taken(row, 1, parts.channels)),
      made: made('outliers'),
    };
    this.outliers.set(y, this.addOutliers(of, dtype, shape && [...shape.slice(0, -1), parts.channels.length], out));
    return {
      ...factors,
      weight: zeroed(factors.weight, axis, parts.channels),
      bias: biasOf('rest', row && zeroed(row, 1, parts.channels)),
      made: made('rest'),
    };
  }

  /** Lets a product read a value whose outstanding channels are coded apart: what they give is added as a residual. */
  private readParts(factors: Factors, x: string, out: Node[]): Factors {
    const { node, weight } = factors;
    const { channels, outliers, rest } = this.ranges.get(x)!.parts!;
    const axis = inputAxis(isTransposed(node));
    const of = {
      ...factors,
      codes: this.outliers.get(x)!,
      codesLimits: this.limitsOf(x, 'outliers', outliers),
      weight: taken(weight, axis, channels),
      bias: '',
    };
    const sum = this.addOutliers(of, 'f32', this.graph.value(node.outputs[0]!).shape, out);
    return { ...factors, codesLimits: this.limitsOf(x, 'rest', rest), weight: zeroed(weight, axis, channels), residual: sum };
  }

  /** Adds the product of the channels that stand out before the one of the others. @returns its result. */
  private addOutliers(factors: Factors, dtype: 'f32' | 's8' | 'u8', shape: Value['shape'], out: Node[]): string {
    const { node, name } = factors;
    // A part of a sum is not rounded, only the sum.
    const { rounding: _, ...attributes } = node.attributes;
    const result = this.graph.addValue({ name: this.graph.freeName(`${node.outputs[0]}_outliers`), dtype, shape }).name;
    out.push({
      name: `${node.name}/outliers`,
      op: 'InnerProduct',
      inputs: this.operands({ ...factors, name: `${name}_outliers` }),
      outputs: [result],
      attributes: { ...attributes, output_dtype: dtype },
    });
    return result;
  }

  /** The parts of a coded value, where its one reader can add what they give. */
  private partsOf(y: string): ValueRange['parts'] {
    const readers = this.consumers.get(y)!;
    const canAdd = readers.length === 1 && readers[0]!.inputs[3] && (readers[0]!.attributes['activation'] ?? 'none') === 'none';
    return canAdd ? this.ranges.get(y)?.parts : undefined;
  }

  private operands({ node, name, codes, codesLimits, weight, bias, residual, made }: Factors): string[] {
    const { data, limits } = this.weights.of(weight, isTransposed(node), name);
    return [codes, data, bias, residual, ...codesLimits, ...limits, ...(made.length > 0 ? made : ['', '', '', ''])];
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
    const name = this.quantize(x, this.limitsOf(x), out);
    this.codes.set(x, name);
    return name;
  }

  private quantize(x: string, limits: Limits, out: Node[]): string {
    const { shape } = this.graph.value(x);
    const name = this.graph.addValue({ name: this.graph.freeName(`${x}_u8`), dtype: 'u8', shape }).name;
    out.push({ name: `${x}/quantize`, op: 'Quantize', inputs: [x, ...limits], outputs: [name], attributes: { dtype: 'u8' } });
    return name;
  }

  /** The multipliers of a value and its range under them, where a LayerNorm makes it. */
  private balanced(x: string): ValueRange['balanced'] {
    return this.producers.get(x)?.op === 'LayerNorm' ? this.ranges.get(x)?.balanced : undefined;
  }

  /** The codes of a LayerNorm's result times its multipliers: of a second LayerNorm, whose γ and β are multiplied. */
  private balancedCodes(x: string, { multipliers, range }: NonNullable<ValueRange['balanced']>, out: Node[]): string {
    const found = this.codes.get(x);
    if (found) return found;
    const norm = this.producers.get(x)!;
    const { dtype, shape } = this.graph.value(x);
    const name = this.graph.addValue({ name: this.graph.freeName(`${x}_balanced`), dtype, shape }).name;
    const [input, ...parameters] = norm.inputs as [string, string, string];
    const times = parameters.map((parameter) => {
      const tensor = this.graph.constant(parameter)!;
      const data = (tensor.data as Float32Array).map((value, c) => value * multipliers[c]!);
      return this.graph.addConstant(`${parameter}_balanced`, { ...tensor, data });
    });
    out.push({ ...norm, name: `${norm.name}/balanced`, inputs: [input, ...times], outputs: [name] });
    const codes = this.quantize(name, this.limitsOf(x, 'balanced', range), out);
    this.codes.set(x, codes);
    return codes;
  }

  /** The range of a value, or of a form of it, as constants. */
  private limitsOf(name: string, form = '', of: Range | undefined = this.ranges.get(name)): Limits {
    const key = `${form} ${name}`;
    const found = this.limits.get(key);
    if (found) return found;
    if (!of) throw new EngineError('E_QUANT', 'quantize', `calibration found no range for "${name}"`, { where: name });
    const hint = form ? `${name}_${form}` : name;
    const made = [this.graph.addConstant(`${hint}_min`, scalar(of.min)), this.graph.addConstant(`${hint}_max`, scalar(of.max))] as const;
    this.limits.set(key, made);
    return made;
  }
}

const isTransposed = (node: Node): boolean => node.attributes['transposed'] === true;

const scalar = (value: number): Tensor => ({ dtype: 'f32', dims: [1], data: Float32Array.of(value) });
