import type { Dim } from '@neural-engine/core';
import { type Graph, inferNode, type KnownValue } from '@neural-engine/ir';
import { integersOf } from './tensor-facts';

/** What shape inference knows of the values of one graph, elements of shape arithmetic included. A snapshot. */
export class KnownValues {
  private readonly known = new Map<string, KnownValue>();

  constructor(private readonly graph: Graph) {
    for (const node of graph.nodes) {
      const inferred = inferNode(node, (name) => this.of(name), { check: false });
      node.outputs.forEach((output, i) => {
        if (output && inferred[i]) this.known.set(output, inferred[i]);
      });
    }
  }

  of(name: string): KnownValue {
    return this.known.get(name) ?? this.graph.value(name);
  }

  /** The elements of a small integer value, symbols allowed; undefined where they are unknown. */
  elementsOf(name: string): readonly Dim[] | undefined {
    const value = this.of(name);
    return value.elements ?? (value.constant && value.constant.dims.length <= 1 ? integersOf(value.constant) : undefined);
  }
}
