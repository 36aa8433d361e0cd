import { EngineError } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';
import type { PanelOp, PanelValue, PreparedNode } from './prepared';

const SLOT = { x: 0, weight: 1, residual: 3 } as const;

const isBf16Product = (graph: Graph, node: Node): boolean =>
  node.op === 'InnerProduct' && graph.constant(node.inputs[SLOT.weight])?.dtype === 'bf16';

/** Whether only bf16 products read what this bf16 product makes, so that it need never exist as f32. */
export function isHalfOnly(graph: Graph, node: Node, consumers: ReadonlyMap<string, Node[]>, panel: ReadonlySet<Node>): boolean {
  if (!isBf16Product(graph, node)) return false;
  const y = node.outputs[0]!;
  const readers = consumers.get(y) ?? [];
  return (
    readers.length > 0 &&
    !graph.outputs.includes(y) &&
    readers.every((reader) => panel.has(reader) && isBf16Product(graph, reader) && reader.inputs[SLOT.residual] !== y)
  );
}

/**
 * Gives a bf16 product its input as bf16: the value itself where it is kept so, else a rounded copy that all products of the component
 * share. `narrow` is the node that makes the copy, where this product is the first to need it.
 */
export function narrowInput(
  op: PanelOp,
  component: number,
  panels: Map<string, PanelValue>,
  graph: Graph,
): { op: PanelOp; narrow?: PreparedNode } {
  if (op.op !== 'linear_bf16') return { op };
  const { x } = op;
  const own = panels.get(x);
  if (own?.dtype === 'bf16' && own.component === component) return { op };
  const y = `${x}/bf16/${component}`;
  const narrowed: PanelOp = { ...op, x: y };
  if (panels.has(y)) return { op: narrowed };
  const features = graph.value(x).shape?.at(-1);
  if (typeof features !== 'number')
    throw new EngineError('E_SHAPE', 'load', `the last dimension of "${x}" must be known to run as panels`, { where: x });
  panels.set(y, { features, dtype: 'bf16', component });
  return { op: narrowed, narrow: { kind: 'panel', name: y, component, op: { op: 'narrow', x, y }, reads: [x], writes: [y] } };
}
