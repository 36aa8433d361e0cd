import type { Dim } from '@neural-engine/core';
import { divideDims, type Graph, type Node } from '@neural-engine/ir';
import { ELEMENTWISE } from '../lower/generic/elementwise';
import { type Apart, carryAxes, equalAxes } from '../prepare/carry-axes';

/** Operands that must have a row for each of the batch where the node has any; others are weights, ranges, axes and indices. */
const ROWS: Readonly<Record<string, readonly number[]>> = { Embeddings: [0, 3], Attention: [0, 1, 2], InnerProduct: [0, 3, 12, 13] };

/** Operands that are told the dims of a result, whatever its rows hold. */
const DIMS: Readonly<Record<string, number>> = { Reshape: 1, Expand: 1, ConstantOfShape: 0 };

/**
 * Whether each row of a batch has the same results whatever other rows are beside it and however many.
 *
 * True where axis 0 of every input, which the symbol `batch` names, is followed through all nodes to axis 0 of every output, and none reduces,
 * normalises, cuts or multiplies along it, nor computes with the number of rows.
 */
export function rowsApart(graph: Graph, batch: string): boolean {
  const rows = new Map<string, Apart>();
  /** Values that the number of rows decides. */
  const counts = new Set<string>();
  const shapeOf = (name: string) => graph.value(name).shape;
  const rankOf = (name: string): number | undefined => rows.get(name)?.rank ?? shapeOf(name)?.length;
  for (const name of graph.inputs) rows.set(name, { rank: shapeOf(name)!.length, axes: [0] });

  /** A whole number of rows of the batch, one after another. */
  const isRows = (dim: Dim | undefined): boolean => {
    const each = dim == null ? null : divideDims(dim, batch);
    return (
      each !== null &&
      !String(each)
        .split(/[^\w.]+/)
        .includes(batch)
    );
  };
  /** Rows stay whole where axes behind them are joined to them or parted from them. */
  const reshaped = (node: Node): Apart | undefined => {
    const [from, to] = [shapeOf(node.inputs[0]!), shapeOf(node.outputs[0]!)];
    return from && to && isRows(from[0]) && isRows(to[0]) ? { rank: to.length, axes: [0] } : undefined;
  };
  /** Whether a value without rows, broadcast to a rank, differs from row to row: those of a run of its own would get what is for the first. */
  const varies = (name: string, rank: number, axes: readonly number[]): boolean => {
    const shape = rows.has(name) ? [] : shapeOf(name);
    return !shape || axes.some((axis) => (shape[axis - rank + shape.length] ?? 1) !== 1);
  };
  const othersVary = ({ op, inputs }: Node, { rank, axes }: Apart): boolean => {
    if (op === 'Attention') return inputs[3] ? varies(inputs[3], 4, axes) : false;
    if (op === 'Gemm') return inputs[2] ? varies(inputs[2], rank, axes) : false;
    if (op === 'MatMul')
      return inputs.some((name) =>
        varies(
          name,
          rank,
          axes.filter((axis) => axis < rank - 2),
        ),
      );
    return Object.hasOwn(ELEMENTWISE, op) && inputs.some((name) => name !== '' && varies(name, rank, axes));
  };
  const carried = (node: Node): Apart | undefined => {
    let found: Apart | undefined;
    for (const [slot, name] of node.inputs.entries()) {
      if (!name) continue;
      const own = rows.get(name);
      if (!own) {
        if (counts.has(name) && DIMS[node.op] !== slot) return undefined;
        if (node.op === 'Concat' || ROWS[node.op]?.includes(slot)) return undefined;
        continue;
      }
      const leading = (node.op === 'Reshape' || node.op === 'Flatten') && slot === 0 && own.axes[0] === 0;
      const next = (leading ? reshaped(node) : undefined) ?? carryAxes(graph, node, name, own, rankOf);
      if (!next || (found && !equalAxes(found, next))) return undefined;
      found = next;
    }
    return found && !othersVary(node, found) ? found : undefined;
  };

  for (const node of graph.nodes) {
    const outputs = node.outputs.filter(Boolean);
    if (node.op === 'Shape' || node.op === 'Size') {
      if (rows.has(node.inputs[0]!) || counts.has(node.inputs[0]!)) for (const name of outputs) counts.add(name);
    } else if (node.inputs.some((name) => rows.has(name))) {
      const apart = carried(node);
      if (!apart) return false;
      for (const name of outputs) rows.set(name, apart);
    } else if (node.inputs.some((name) => counts.has(name))) {
      if (isOtherDim(graph, node, rows)) continue;
      const filled = DIMS[node.op] !== undefined && outputs.every((name) => isRows(shapeOf(name)?.[0]));
      const rank = rankOf(outputs[0]!) ?? 0;
      // The same row as often as there are rows, or a number of them.
      if (filled && (node.op === 'ConstantOfShape' || (node.op === 'Expand' && !varies(node.inputs[0]!, rank, [0])))) {
        for (const name of outputs) rows.set(name, { rank, axes: [0] });
      } else for (const name of outputs) counts.add(name);
    }
  }
  return graph.outputs.every((name) => rows.get(name)?.axes[0] === 0);
}

/** Whether a node takes from the dims of a value one that is not the number of its rows: equal in all runs that may be joined. */
function isOtherDim(graph: Graph, node: Node, rows: ReadonlyMap<string, Apart>): boolean {
  if (node.op !== 'Gather') return false;
  const shape = graph.nodes.find(({ op, outputs }) => op === 'Shape' && outputs[0] === node.inputs[0]);
  const source = shape && rows.get(shape.inputs[0]!);
  const index = graph.constant(node.inputs[1]);
  if (!source || !index || shape.attributes['start'] || shape.attributes['end'] !== undefined) return false;
  return Array.from(index.data as ArrayLike<number | bigint>, Number).every((i) => !source.axes.includes(i < 0 ? i + source.rank : i));
}
