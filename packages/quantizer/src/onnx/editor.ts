import type { Dims, TypedArray } from '@neural-engine/core';
import { makeNode, makeTensor, type OnnxAttribute, type OnnxDType, type OnnxModel, type OnnxNode } from '@neural-engine/onnx';

/** Changes a copy of a model: nodes put before others, initializers added, operands exchanged. Names that are given are never taken twice. */
export class OnnxEditor {
  readonly model: OnnxModel;
  private readonly taken: Set<string>;
  /** Nodes that go in front of one, in order. */
  private readonly before = new Map<OnnxNode, OnnxNode[]>();
  private readonly replaced = new Map<OnnxNode, readonly OnnxNode[]>();

  constructor(source: OnnxModel) {
    const nodes = source.graph.nodes.map((node) => ({ ...node, inputs: [...node.inputs], outputs: [...node.outputs] }));
    this.model = { ...source, graph: { ...source.graph, nodes, initializers: new Map(source.graph.initializers) } };
    const { inputs, initializers } = this.model.graph;
    const named = nodes.flatMap((node) => [node.name, ...node.inputs, ...node.outputs]);
    this.taken = new Set([...inputs.map(({ name }) => name), ...initializers.keys(), ...named]);
  }

  get nodes(): readonly OnnxNode[] {
    return this.model.graph.nodes;
  }

  /** A name like `hint` that nothing has. */
  free(hint: string): string {
    let name = hint;
    for (let i = 1; this.taken.has(name); i++) name = `${hint}_${i}`;
    this.taken.add(name);
    return name;
  }

  initializer(hint: string, dtype: OnnxDType, dims: Dims, data: TypedArray): string {
    const name = this.free(hint);
    this.model.graph.initializers.set(name, makeTensor(name, dtype, dims, data));
    return name;
  }

  /** A node in front of `anchor`; returns its outputs, named after `hint`. */
  insert(
    anchor: OnnxNode,
    opType: string,
    inputs: readonly string[],
    hints: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
  ): string[] {
    const outputs = hints.map((hint) => this.free(hint));
    const node = makeNode(opType, inputs, outputs, { name: this.free(`${outputs[0]}/${opType}`), attributes });
    this.before.set(anchor, [...(this.before.get(anchor) ?? []), node]);
    return outputs;
  }

  /** Puts nodes in front of `anchor` as if they had been in the file: others can be inserted in front of them. */
  add(anchor: OnnxNode, nodes: readonly OnnxNode[]): void {
    this.model.graph.nodes.splice(this.model.graph.nodes.indexOf(anchor), 0, ...nodes);
  }

  /** The nodes that stand where `node` stood. */
  replace(node: OnnxNode, by: readonly OnnxNode[]): void {
    this.replaced.set(node, by);
  }

  /** Puts everything in place and drops initializers and constants that nobody reads any more. */
  finish(): OnnxModel {
    const { graph } = this.model;
    graph.nodes = graph.nodes.flatMap((node) => [...(this.before.get(node) ?? []), ...(this.replaced.get(node) ?? [node])]);
    this.prune();
    return this.model;
  }

  /** Only what made a weight is dropped: what was dead in the source stays as it was. */
  private prune(): void {
    const { graph } = this.model;
    const outputs = new Set(graph.outputs.map(({ name }) => name));
    for (;;) {
      const read = new Set([...outputs, ...graph.nodes.flatMap((node) => [...node.inputs, ...capturedBy(node)])]);
      const dead = graph.nodes.filter(
        (node) => WEIGHT_MAKERS.has(node.opType) && node.outputs.every((name) => !read.has(name)) && this.isConstant(node),
      );
      if (dead.length === 0) {
        for (const name of graph.initializers.keys()) if (!read.has(name)) graph.initializers.delete(name);
        return;
      }
      graph.nodes = graph.nodes.filter((node) => !dead.includes(node));
    }
  }

  private isConstant(node: OnnxNode): boolean {
    return node.inputs.every((name) => name === '' || this.model.graph.initializers.has(name)) || node.opType === 'Constant';
  }
}

/** What stands between a stored weight and its product in exporters' files. */
const WEIGHT_MAKERS = new Set(['Constant', 'Cast', 'Transpose', 'Identity']);

/** Names that the bodies of a node may read from outside. */
function capturedBy(node: OnnxNode): string[] {
  return [...node.attributes.values()].flatMap((attribute) => {
    const graphs = attribute.type === 'graph' ? [attribute.value] : attribute.type === 'graphs' ? attribute.value : [];
    return graphs.flatMap((graph) => [
      ...graph.outputs.map(({ name }) => name),
      ...graph.nodes.flatMap((inner) => [...inner.inputs, ...capturedBy(inner)]),
    ]);
  });
}
