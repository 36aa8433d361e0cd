import { EngineError, type Tensor } from '@neural-engine/core';
import { type Attributes, type Graph, inferNode, type Node, type Value } from '@neural-engine/ir';
import { preciseShape } from '../facts/shape-facts';
import type { GraphIndex } from './graph-index';

/** What a replacement function returns instead of a value when the pattern fits and a condition fails. */
export class Declined {
  constructor(readonly reason: string) {}
}

/** Leaves the match alone and says why; `--explain` prints the reason. */
export const decline = (reason: string): Declined => new Declined(reason);

/** The new nodes and constants of one replacement; nothing of it shows in the graph until the driver takes it. */
export class Replacement {
  private readonly added: Node[] = [];
  private readonly values = new Map<string, Value>();

  constructor(
    /** The node whose result is replaced. */
    readonly root: Node,
    private readonly index: GraphIndex,
  ) {}

  /** The graph as it stands, for looking only. */
  get graph(): Graph {
    return this.index.graph;
  }

  /** The node that makes a value. */
  producer(value: Value | string | undefined): Node | undefined {
    if (value === undefined) return undefined;
    const name = typeof value === 'string' ? value : value.name;
    return this.added.find((node) => node.outputs.includes(name)) ?? this.index.producer(name);
  }

  /** The nodes that read a value outside of this replacement. */
  readersOf(value: Value): Node[] {
    return this.index.readersOf(value.name);
  }

  /** The value an operand slot of `node` reads, undefined where it is left out. */
  input(node: Node, slot: number): Value | undefined {
    const name = node.inputs[slot];
    return name ? (this.values.get(name) ?? this.index.graph.value(name)) : undefined;
  }

  /**
   * A new node; its result's dtype and shape come from the operator's schema.
   * @throws {EngineError} E_INTERNAL the schema rejects it.
   */
  op(type: string, inputs: readonly (Value | undefined)[], attributes: Attributes = {}): Value {
    let last = inputs.length;
    while (last > 0 && inputs[last - 1] === undefined) last--;
    const output = this.freeName(`${this.root.outputs[0]}/${type}`);
    const node: Node = {
      name: this.root.name,
      op: type,
      inputs: inputs.slice(0, last).map((input) => input?.name ?? ''),
      outputs: [output],
      attributes,
    };
    const [inferred] = inferNode(node, (name) => this.values.get(name) ?? this.index.graph.value(name));
    if (!inferred) throw new EngineError('E_INTERNAL', 'compile', `operator ${type} has no output`, { where: type });
    const value: Value = { name: output, dtype: inferred.dtype, shape: inferred.shape };
    this.values.set(output, value);
    this.added.push(node);
    return value;
  }

  /** A new constant under a free name that starts with `hint`. */
  constant(hint: string, data: Tensor): Value {
    const name = this.freeName(hint);
    const value: Value = { name, dtype: data.dtype, shape: data.dims, constant: data };
    this.values.set(name, value);
    return value;
  }

  /** For the driver: forgets everything. */
  discard(): void {
    this.added.length = 0;
    this.values.clear();
  }

  /** For the driver: puts `result` in the root's place. Returns the new nodes in order, or why it cannot be done. */
  commit(result: Value): Node[] | Declined {
    const output = this.root.outputs[0]!;
    const { graph } = this.index;
    const isNode = this.added.some((node) => node.outputs.includes(result.name));
    const takesName = isNode || this.index.isOutput(output);
    if (takesName && !isNode && !this.canTakeName(result)) {
      return decline(`"${output}" is a graph output, and "${result.name}" has to keep its own name`);
    }
    const [rank, own] = [(this.values.get(result.name) ?? graph.value(result.name)).shape?.length, graph.value(output).shape?.length];
    if (rank !== undefined && own !== undefined && rank !== own) return decline(`it would have ${rank} axes instead of ${own}`);
    for (const value of this.values.values()) graph.addValue(value);
    // The last node makes the result, so it gets the root's own name.
    this.index.releaseName(this.root);
    for (const node of [...this.added].reverse()) {
      (node as { name: string }).name = this.index.freeNodeName(this.root.name);
      this.index.add(node);
    }
    const before = graph.value(output);
    const after = graph.value(result.name);
    this.index.redirect(output, result.name);
    this.index.remove(this.root, result.name);
    if (takesName) {
      this.index.rename(result.name, output);
      graph.values.delete(result.name);
      before.dtype = after.dtype;
      before.shape = preciseShape(after.shape, before.shape);
    }
    return this.added;
  }

  private canTakeName(value: Value): boolean {
    return this.index.producer(value.name) !== undefined && !this.index.isOutput(value.name);
  }

  private freeName(hint: string): string {
    let name = hint;
    for (let i = 1; this.values.has(name) || this.index.graph.values.has(name); i++) name = `${hint}_${i}`;
    return name;
  }
}
