import { type DType, EngineError, isStatic, type Shape, type Tensor } from '@neural-engine/core';
import { type Attributes, type Graph, inferNode, type KnownValue, type Node, schemaOf } from '@neural-engine/ir';
import type { ImportNode } from './node';

/** Builds the graph of a model node by node, with shapes inferred on the way, so that importers may look at them. */
export class Builder {
  private readonly known = new Map<string, KnownValue>();
  private readonly nodeNames = new Set<string>();

  constructor(readonly graph: Graph) {}

  /** Registers an input of the graph. */
  addInput(name: string, dtype: DType, shape: Shape | undefined): void {
    this.graph.addValue({ name, dtype, shape });
    this.graph.inputs.push(name);
  }

  /** Registers a constant under the name the file gives it. */
  addConstant(name: string, constant: Tensor): void {
    this.graph.addValue({ name, dtype: constant.dtype, shape: constant.dims, constant });
  }

  /** A constant under a free name. */
  constant(hint: string, tensor: Tensor): string {
    return this.graph.addConstant(hint, tensor);
  }

  constantOf(name: string | undefined): Tensor | undefined {
    return this.graph.constant(name);
  }

  shapeOf(name: string): Shape | undefined {
    return this.graph.value(name).shape;
  }

  rankOf(name: string): number | undefined {
    return this.shapeOf(name)?.length;
  }

  dtypeOf(name: string): DType {
    return this.graph.value(name).dtype;
  }

  /** What is known of a value, elements of shape arithmetic included. */
  knownOf(name: string): KnownValue {
    return this.known.get(name) ?? this.graph.value(name);
  }

  hasValue(name: string): boolean {
    return this.graph.values.has(name);
  }

  freeName(hint: string): string {
    return this.graph.freeName(hint);
  }

  /** `hint`, or the first of `hint_1`, … that names no node. */
  freeNodeName(hint: string): string {
    let name = hint;
    for (let i = 1; this.nodeNames.has(name); i++) name = `${hint}_${i}`;
    return name;
  }

  /**
   * Appends an operation of the graph's own vocabulary.
   *
   * `outputs` are names that the file gives, or `''` for results it leaves out.
   * @throws {EngineError} E_MODEL, E_SHAPE, … the schema rejects the node.
   */
  emit(source: ImportNode, op: string, inputs: readonly string[], attributes: Attributes, outputs: readonly string[]): void {
    const schema = schemaOf(op);
    if (!schema) source.refuse(`the engine has no operator ${op}`);
    const node: Node = { name: this.freeNodeName(source.name), op, inputs: trimmed(inputs), outputs: trimmed(outputs), attributes };
    const inferred = inferNode(node, (name) => this.knownOf(name), { stage: 'import' });
    this.nodeNames.add(node.name);
    this.graph.nodes.push(node);
    for (const [i, output] of node.outputs.entries()) {
      if (!output) continue;
      const known = inferred[i];
      if (!known) throw new EngineError('E_INTERNAL', 'import', `${source.label}: nothing is known of output ${i}`, { where: source.name });
      this.graph.addValue({ name: output, dtype: known.dtype, shape: known.shape });
      this.known.set(output, known);
    }
  }

  /** Like {@link emit} for one intermediate result, under a free name that is returned. */
  emitOne(source: ImportNode, op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const output = this.freeName(`${source.outputs[0]}/${op}`);
    this.emit(source, op, inputs, attributes, [output]);
    return output;
  }

  /** The integers a value is known to hold, saturated to the safe integers; undefined where one is unknown. */
  integersOf(name: string): readonly number[] | undefined {
    const { constant, elements } = this.knownOf(name);
    if (elements) return isStatic(elements) ? elements : undefined;
    if (!constant || constant.dtype === 'string') return undefined;
    return Array.from(constant.data as ArrayLike<number | bigint>, Number);
  }
}

function trimmed(names: readonly string[]): string[] {
  let length = names.length;
  while (length > 0 && names[length - 1] === '') length--;
  return names.slice(0, length);
}
