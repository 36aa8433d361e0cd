import { allocate, type Dim, type Tensor, type TypedArray } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';
import type { KnownValues } from './known-values';
import { integersOf, scalarValue } from './tensor-facts';

/** Rows of a table in the order of positions 0, 1, 2, … */
export interface PositionRows {
  /** The table's value; undefined where the rows are a constant by themselves. */
  readonly table?: string;
  readonly tensor?: Tensor;
  /** Which row stands at each position; undefined: rows in their own order. */
  readonly order?: readonly number[];
  /** How many positions are taken. */
  readonly length: Dim;
}

type Producer = (value: string) => Node | undefined;

/** Exporters put a few views between ids and table; a longer chain is not followed. */
export const MAX_CHAIN = 16;

/** Recognises a summand [1, S, H], or one repeated for each sequence of a batch, that depends on the position alone. */
export function positionRows(name: string, graph: Graph, producer: Producer, known: KnownValues, depth = 0): PositionRows | undefined {
  if (depth > MAX_CHAIN) return undefined;
  const { constant, shape } = graph.value(name);
  if (constant) {
    if (constant.dims.length < 2 || constant.dims.slice(0, -2).some((dim) => dim !== 1)) return undefined;
    const [rows, hidden] = constant.dims.slice(-2) as [number, number];
    return { tensor: { ...constant, dims: [rows, hidden] }, length: rows };
  }
  const node = producer(name);
  switch (node?.op) {
    case 'Gather':
      return fromGather(node, graph, producer, known);
    case 'Slice':
      return fromSlicedTable(node, graph, known);
    case 'Reshape':
    case 'Unsqueeze':
    case 'Expand': {
      const rows = positionRows(node.inputs[0]!, graph, producer, known, depth + 1);
      return rows && shape && shape.length >= 2 && shape.at(-2) === rows.length ? rows : undefined;
    }
    default:
      return undefined;
  }
}

function fromGather(node: Node, graph: Graph, producer: Producer, known: KnownValues): PositionRows | undefined {
  const [table, ids] = node.inputs as [string, string];
  const constant = graph.constant(table);
  if (constant?.dims.length !== 2 || Number(node.attributes['axis'] ?? 0) !== 0) return undefined;
  const counted = countedIds(ids, graph, producer, known);
  if (!counted) return undefined;
  const inOrder = counted.order === undefined || (counted.order.length === constant.dims[0] && counted.order.every((id, i) => id === i));
  if (counted.order?.some((id) => id < 0 || id >= constant.dims[0]!)) return undefined;
  return { table, length: counted.length, ...(inOrder ? {} : { order: counted.order! }) };
}

/** Slice(table, 0, S) of the rows. */
function fromSlicedTable(node: Node, graph: Graph, known: KnownValues): PositionRows | undefined {
  const constant = graph.constant(node.inputs[0]);
  if (!constant || constant.dims.length < 2 || constant.dims.slice(0, -2).some((dim) => dim !== 1)) return undefined;
  const length = slicedFromStart(node, known, constant.dims.length - 2, constant.dims.length);
  if (length === undefined) return undefined;
  return { tensor: { ...constant, dims: constant.dims.slice(-2) }, length };
}

interface CountedIds {
  readonly order?: readonly number[];
  readonly length: Dim;
}

/** Position ids: a counted range, a slice of stored ids, or stored ids. */
function countedIds(name: string, graph: Graph, producer: Producer, known: KnownValues, depth = 0): CountedIds | undefined {
  if (depth > MAX_CHAIN) return undefined;
  const constant = graph.constant(name);
  if (constant) {
    const order = constant.dims.slice(0, -1).every((dim) => dim === 1) ? integersOf(constant) : undefined;
    return order && { order, length: order.length };
  }
  const node = producer(name);
  switch (node?.op) {
    case 'Cast':
    case 'Expand':
    case 'Unsqueeze':
    case 'Reshape': {
      const counted = countedIds(node.inputs[0]!, graph, producer, known, depth + 1);
      return counted && graph.value(name).shape?.at(-1) === counted.length ? counted : undefined;
    }
    case 'Range': {
      const length = known.of(name).shape?.[0];
      const isCounted = scalarValue(graph.constant(node.inputs[0])) === 0 && scalarValue(graph.constant(node.inputs[2])) === 1;
      return isCounted && length !== undefined ? { length } : undefined;
    }
    case 'Slice': {
      const stored = graph.constant(node.inputs[0]);
      if (!stored || stored.dims.slice(0, -1).some((dim) => dim !== 1)) return undefined;
      const rank = stored.dims.length;
      const length = slicedFromStart(node, known, rank - 1, rank);
      const order = integersOf(stored);
      return order && length !== undefined ? { order, length } : undefined;
    }
    default:
      return undefined;
  }
}

/** The end of a Slice of one axis from 0 in steps of 1; undefined for any other slice. */
function slicedFromStart(node: Node, known: KnownValues, axis: number, rank: number): Dim | undefined {
  const list = (slot: number, fallback: number[]): readonly Dim[] | undefined =>
    node.inputs[slot] ? known.elementsOf(node.inputs[slot]) : fallback;
  const starts = list(1, []);
  const ends = list(2, []);
  const axes = list(3, starts?.map((_, i) => i) ?? []);
  const steps = list(4, starts?.map(() => 1) ?? []);
  if (!starts || !ends || !axes || !steps) return undefined;
  let length: Dim | undefined;
  for (const [i, named] of axes.entries()) {
    if (typeof named !== 'number' || starts[i] !== 0 || steps[i] !== 1) return undefined;
    const end = ends[i]!;
    if ((named < 0 ? named + rank : named) === axis) length = end;
    else if (typeof end !== 'number' || end < 1) return undefined;
  }
  return length;
}

/** The rows of a table [P, H] in another order. */
export function takeRows(table: Tensor, order: readonly number[] | undefined): Tensor {
  if (!order) return table;
  const width = table.dims[1]!;
  const data = allocate(table.dtype, order.length * width);
  order.forEach((row, i) => {
    (data as Uint8Array).set(table.data.subarray(row * width, (row + 1) * width) as TypedArray as Uint8Array, i * width);
  });
  return { dtype: table.dtype, dims: [order.length, width], data };
}
