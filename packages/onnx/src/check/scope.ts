import type { Shape } from '@neural-engine/core';
import { attribute } from '../attributes';
import { makeTensor } from '../build';
import type { OnnxGraph, OnnxNode, OnnxTensor } from '../types';

/**
 * The values that a node can see: those of its own graph made so far, and through `outer` those of the graphs around it
 * that were made before the node that holds this one.
 */
export class Scope {
  readonly names = new Set<string>();
  private readonly initializers = new Set<string>();
  private readonly constants = new Map<string, OnnxTensor>();
  private readonly shapes = new Map<string, Shape>();

  constructor(private readonly outer?: Scope) {}

  /** True where this graph or one around it makes the name. */
  has(name: string): boolean {
    return this.names.has(name) || (this.outer?.has(name) ?? false);
  }

  /** True where a graph around this one stores a tensor under the name. */
  outerInitializer(name: string): boolean {
    return this.outer !== undefined && (this.outer.initializers.has(name) || this.outer.outerInitializer(name));
  }

  /** Notes constants and declared shapes, before the nodes are walked. */
  declare(graph: Pick<OnnxGraph, 'valueInfo'> & Partial<OnnxGraph>): void {
    for (const value of [...(graph.inputs ?? []), ...graph.valueInfo, ...(graph.outputs ?? [])]) {
      if (value.shape !== undefined) this.shapes.set(value.name, value.shape);
    }
    for (const [name, tensor] of graph.initializers ?? []) {
      this.initializers.add(name);
      this.setConstant(name, tensor);
    }
  }

  /** Notes what a Constant node makes. */
  declareConstant(node: OnnxNode): void {
    if (node.opType !== 'Constant' || node.domain !== '' || node.outputs.length !== 1) return;
    const name = node.outputs[0]!;
    const tensor = node.attributes.get('value')?.type === 'tensor' ? attribute(node, 'value', 'tensor') : undefined;
    const float = node.attributes.get('value_float')?.type === 'float' ? attribute(node, 'value_float', 'float') : undefined;
    if (tensor !== undefined) this.setConstant(name, tensor);
    else if (float !== undefined) this.setConstant(name, makeTensor(name, 'f32', [], Float32Array.of(float)));
  }

  private setConstant(name: string, tensor: OnnxTensor): void {
    this.constants.set(name, tensor);
    this.shapes.set(name, tensor.dims);
  }

  /** The value of a name that is the same at every run. */
  constant(name: string | undefined): OnnxTensor | undefined {
    if (!name) return undefined;
    return this.names.has(name) ? this.constants.get(name) : (this.constants.get(name) ?? this.outer?.constant(name));
  }

  /** The declared shape of a name, where there is one. */
  shape(name: string | undefined): Shape | undefined {
    if (!name) return undefined;
    return this.names.has(name) ? this.shapes.get(name) : (this.shapes.get(name) ?? this.outer?.shape(name));
  }
}
