import { type DType, EngineError, type Shape, type Tensor } from '@neural-engine/core';

/** What an attribute may hold. ONNX integers are JavaScript numbers here; a subgraph never is an attribute (control flow is refused at import). */
export type AttributeValue = number | string | boolean | readonly number[] | readonly string[] | Tensor;
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** A tensor that flows along an edge. Its name is its identity within a graph. */
export interface Value {
  readonly name: string;
  dtype: DType;
  /** Numbers, symbols such as `batch`, or null; `undefined` when not even the rank is known. */
  shape: Shape | undefined;
  /** Present for constants only. */
  constant?: Tensor;
}

/** An operation. `''` stands for an absent optional input. */
export interface Node {
  readonly name: string;
  readonly op: string;
  inputs: string[];
  outputs: string[];
  attributes: Attributes;
}

/**
 * The one graph type, from import to the IR file: nodes in topological order over named values.
 *
 * ONNX-like operators have the form of opset 22 (what older opsets keep in attributes is an input here). Engine operators
 * (`InnerProduct`, `Attention`, `Embeddings`, …) are described by their schemas in `schemas/`.
 * Only passes change a graph; {@link Graph.clone} makes the copy they work on.
 */
export class Graph {
  readonly values = new Map<string, Value>();
  nodes: Node[] = [];
  /** Values the caller feeds, in order. */
  inputs: string[] = [];
  /** Values the caller gets, in order. */
  outputs: string[] = [];

  constructor(public name = 'model') {}

  /** @throws {EngineError} E_INTERNAL no value has that name. */
  value(name: string): Value {
    const found = this.values.get(name);
    if (!found) throw new EngineError('E_INTERNAL', 'compile', `graph "${this.name}" has no value "${name}"`, { where: name });
    return found;
  }

  /** The tensor of a constant value, else undefined; `''` gives undefined. */
  constant(name: string | undefined): Tensor | undefined {
    return name ? this.values.get(name)?.constant : undefined;
  }

  addValue(value: Value): Value {
    if (this.values.has(value.name))
      throw new EngineError('E_MODEL', 'compile', `two values are named "${value.name}"`, { where: value.name });
    this.values.set(value.name, value);
    return value;
  }

  /** Adds a constant under a free name that starts with `hint` and returns the name. */
  addConstant(hint: string, data: Tensor): string {
    const name = this.freeName(hint);
    this.values.set(name, { name, dtype: data.dtype, shape: data.dims, constant: data });
    return name;
  }

  /** `hint`, or `hint_1`, `hint_2`, … : the first that names no value yet. */
  freeName(hint: string): string {
    if (!this.values.has(hint)) return hint;
    let i = 1;
    while (this.values.has(`${hint}_${i}`)) i++;
    return `${hint}_${i}`;
  }

  /** The node that makes each value. Build it once per walk: it is a snapshot. */
  producers(): Map<string, Node> {
    const map = new Map<string, Node>();
    for (const node of this.nodes) for (const output of node.outputs) if (output) map.set(output, node);
    return map;
  }

  /** The nodes that read each value, one entry per use. A snapshot. */
  consumers(): Map<string, Node[]> {
    const map = new Map<string, Node[]>();
    for (const node of this.nodes) {
      for (const input of node.inputs) {
        if (!input) continue;
        const list = map.get(input);
        if (list) list.push(node);
        else map.set(input, [node]);
      }
    }
    return map;
  }

  /** An independent copy; constant tensors are shared, since nothing writes them. */
  clone(): Graph {
    const copy = new Graph(this.name);
    for (const value of this.values.values()) copy.values.set(value.name, { ...value });
    copy.nodes = this.nodes.map((node) => ({ ...node, inputs: [...node.inputs], outputs: [...node.outputs] }));
    copy.inputs = [...this.inputs];
    copy.outputs = [...this.outputs];
    return copy;
  }
}
