import { EngineError } from '@neural-engine/core';
import type { Prepared, PreparedNode } from '../prepare/prepared';

export type PanelNode = Extract<PreparedNode, { kind: 'panel' }>;
export type GenericNode = Extract<PreparedNode, { kind: 'generic' }>;

/** What runs between two barriers, before steps and buffers are chosen. */
export type Chain =
  | { kind: 'panel'; component: number; nodes: PanelNode[] }
  | { kind: 'generic'; node: GenericNode }
  | { kind: 'token_map'; component: number };

/**
 * Orders the needed nodes into chains, as few as possible.
 *
 * A panel chain goes on as long as another panel node of the same rows is ready, so that a unit stays in cache; it ends before an attention
 * whose keys or values it made itself, because those are read across units.
 */
export function schedule(prepared: Prepared, needed: ReadonlySet<PreparedNode>): Chain[] {
  const chains: Chain[] = [];
  const made = new Set<string>();
  const producedBy = new Map<string, PreparedNode>();
  for (const node of needed) for (const name of node.writes) producedBy.set(name, node);
  const ready = (name: string): boolean => made.has(name) || !producedBy.has(name);
  const mapped = new Set<number>();
  const componentReady = (component: number): boolean => {
    const { mask } = prepared.components[component]!;
    return mask === undefined || ready(mask);
  };
  const pending = new Set(needed);
  let current: Extract<Chain, { kind: 'panel' }> | undefined;

  const take = (node: PreparedNode): void => {
    pending.delete(node);
    for (const name of node.writes) made.add(name);
  };
  const nextPanel = (component?: number): PanelNode | undefined => {
    for (const node of pending) {
      if (node.kind !== 'panel' || (component !== undefined && node.component !== component)) continue;
      if (node.reads.every(ready) && componentReady(node.component)) return node;
    }
    return undefined;
  };
  const nextGeneric = (): GenericNode | undefined => {
    for (const node of pending) if (node.kind === 'generic' && node.reads.every(ready)) return node;
    return undefined;
  };

  while (pending.size > 0) {
    const same = current && nextPanel(current.component);
    const panel = same ?? nextPanel();
    if (panel) {
      if (prepared.components[panel.component]!.kind === 'tokens' && !mapped.has(panel.component)) {
        mapped.add(panel.component);
        chains.push({ kind: 'token_map', component: panel.component });
        current = undefined;
      }
      if (!current || current.component !== panel.component || crossesUnits(panel, current.nodes)) {
        current = { kind: 'panel', component: panel.component, nodes: [] };
        chains.push(current);
      }
      current.nodes.push(panel);
      take(panel);
      continue;
    }
    const generic = nextGeneric();
    // The graph is acyclic, so something is always ready.
    if (!generic) throw new EngineError('E_INTERNAL', 'plan', 'no node is ready: the graph has a cycle');
    current = undefined;
    chains.push({ kind: 'generic', node: generic });
    take(generic);
  }
  return chains;
}

function crossesUnits(node: PanelNode, chain: readonly PanelNode[]): boolean {
  if (node.op.op !== 'attention' && node.op.op !== 'attention_i8') return false;
  const { k, v } = node.op;
  return chain.some((earlier) => earlier.writes.includes(k) || earlier.writes.includes(v));
}
