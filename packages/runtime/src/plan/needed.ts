import { lowerGeneric } from '../lower/generic';
import type { GenericLowering } from '../lower/generic/types';
import type { Prepared, PreparedNode } from '../prepare/prepared';
import type { ConcreteValue } from './concrete';

/**
 * The nodes that must run for the outputs, with every generic node lowered.
 *
 * A node whose results are all known while planning (shape arithmetic) is not needed, nor is one that only such nodes read.
 */
export function lowerNeeded(
  prepared: Prepared,
  values: ReadonlyMap<string, ConcreteValue>,
  taps: readonly string[],
): { needed: Set<PreparedNode>; generic: Map<PreparedNode, GenericLowering> } {
  const known = (name: string): boolean => values.get(name)?.constant !== undefined;
  const wanted = new Set([...prepared.graph.outputs, ...taps]);
  const kept: PreparedNode[] = [];
  const generic = new Map<PreparedNode, GenericLowering>();
  for (const node of [...prepared.nodes].reverse()) {
    if (!node.writes.some((name) => wanted.has(name) && !known(name))) continue;
    kept.push(node);
    if (node.kind === 'panel') {
      for (const name of node.reads) wanted.add(name);
      const { mask } = prepared.components[node.component]!;
      if (mask) wanted.add(mask);
      continue;
    }
    const lowering = lowerGeneric(
      node.node,
      node.node.inputs.map((name) => (name ? values.get(name) : undefined)),
      node.node.outputs.map((name) => values.get(name)!),
    );
    generic.set(node, lowering);
    const reads = 'alias' in lowering ? [lowering.alias] : lowering.steps.flatMap((step) => step.x);
    for (const name of reads) if (name) wanted.add(name);
  }
  return { needed: new Set(kept.reverse()), generic };
}
