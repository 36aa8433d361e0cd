import type { Graph, Node } from '@neural-engine/ir';
import { ELEMENTWISE } from '../lower/generic/elementwise';

/** Axes of a value along which its elements are to stay apart, such as those of sequences and tokens, always in the same order. */
export interface Apart {
  readonly rank: number;
  readonly axes: readonly number[];
}

/** The axes of the input in `slot` of a node, and what else tells where they go. */
interface Reading extends Apart {
  readonly graph: Graph;
  readonly node: Node;
  readonly slot: number;
  readonly rankOf: (name: string) => number | undefined;
}

/** Where the axes lie in the outputs; undefined where elements along them meet, or are left out. */
type Carry = (reading: Reading) => Apart | undefined;

const same = ({ rank, axes }: Apart): Apart => ({ rank, axes });
const only =
  (slots: readonly number[], carry: Carry): Carry =>
  (reading) =>
    slots.includes(reading.slot) ? carry(reading) : undefined;
const fromBack = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);
const numberOf = ({ attributes }: Node, name: string, byDefault: number): number => (attributes[name] as number | undefined) ?? byDefault;
const integers = ({ graph, node }: Reading, slot: number): number[] | undefined => {
  const constant = graph.constant(node.inputs[slot]);
  return constant && Array.from(constant.data as ArrayLike<number | bigint>, Number);
};

/** Operands broadcast to the rank of the greatest, aligned at the last axis. */
const elementwise: Carry = ({ node, rank, axes, rankOf }) => {
  const ranks = node.inputs.filter(Boolean).map(rankOf);
  if (ranks.includes(undefined)) return undefined;
  const out = Math.max(...(ranks as number[]));
  return { rank: out, axes: axes.map((axis) => axis + out - rank) };
};

/** What works along one axis of its first input, and keeps the others. */
const along = (byDefault: number): Carry =>
  only([0], (reading) => {
    const { node, rank, axes } = reading;
    return axes.includes(fromBack(numberOf(node, 'axis', byDefault), rank)) ? undefined : same(reading);
  });

/** What works along all axes from one on. */
const alongFrom: Carry = only([0], (reading) => {
  const first = fromBack(numberOf(reading.node, 'axis', -1), reading.rank);
  return reading.axes.every((axis) => axis < first) ? same(reading) : undefined;
});

const ofRows: Carry = (reading) => (reading.axes.includes(reading.rank - 1) ? undefined : same(reading));

/** Axes are left out: reduced, or of one element. */
function without({ rank, axes }: Apart, gone: readonly number[]): Apart | undefined {
  if (axes.some((axis) => gone.includes(axis))) return undefined;
  return { rank: rank - gone.length, axes: axes.map((axis) => axis - gone.filter((other) => other < axis).length) };
}

const reduce: Carry = only([0], (reading) => {
  const reduced = integers(reading, 1)?.map((axis) => fromBack(axis, reading.rank));
  const left = reduced && reduced.length > 0 ? without(reading, reduced) : undefined;
  return left && numberOf(reading.node, 'keepdims', 1) !== 0 ? same(reading) : left;
});

const squeeze: Carry = only([0], (reading) => {
  const gone = integers(reading, 1)?.map((axis) => fromBack(axis, reading.rank));
  return gone && without(reading, gone);
});

const unsqueeze: Carry = only([0], (reading) => {
  const added = integers(reading, 1);
  if (!added) return undefined;
  const rank = reading.rank + added.length;
  const fresh = added.map((axis) => fromBack(axis, rank));
  const old = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !fresh.includes(axis));
  return { rank, axes: reading.axes.map((axis) => old[axis]!) };
});

const transpose: Carry = ({ node, rank, axes }) => {
  const perm = (node.attributes['perm'] as readonly number[] | undefined) ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  return { rank, axes: axes.map((axis) => perm.indexOf(axis)) };
};

/** A range to this end is all of an axis. */
const TO_THE_END = 2 ** 31 - 1;

const slice: Carry = only([0], (reading) => {
  const [starts, ends] = [integers(reading, 1), integers(reading, 2)];
  const named = reading.node.inputs[3] ? integers(reading, 3) : starts?.map((_, i) => i);
  const steps = reading.node.inputs[4] ? integers(reading, 4) : starts?.map(() => 1);
  const isAll = (i: number): boolean => starts?.[i] === 0 && ends![i]! >= TO_THE_END && steps?.[i] === 1;
  const stays = (axis: number, i: number): boolean =>
    !reading.axes.includes(fromBack(axis, reading.rank)) || (ends !== undefined && isAll(i));
  return named?.every(stays) ? same(reading) : undefined;
});

/** Of the data the axes beside the one that is looked up; of indices all, in its place. */
const gather: Carry = ({ node, slot, rank, axes, rankOf }) => {
  const other = rankOf(node.inputs[1 - slot]!);
  if (other === undefined) return undefined;
  const axis = fromBack(numberOf(node, 'axis', 0), slot === 0 ? rank : other);
  if (slot === 1) return { rank: rank + other - 1, axes: axes.map((own) => own + axis) };
  if (axes.includes(axis)) return undefined;
  return { rank: rank + other - 1, axes: axes.map((own) => (own > axis ? own + other - 1 : own)) };
};

const matmul: Carry = only([0, 1], ({ node, slot, rank, axes, rankOf }) => {
  const other = rankOf(node.inputs[1 - slot]!);
  if (other === undefined || other < 2 || rank < 2 || axes.includes(rank - 1 - slot)) return undefined;
  const out = Math.max(rank, other);
  return { rank: out, axes: axes.map((axis) => axis + out - rank) };
});

const expand: Carry = only([0], ({ graph, node, rank, axes }) => {
  const length = graph.value(node.inputs[1]!).shape?.[0];
  if (typeof length !== 'number') return undefined;
  const out = Math.max(rank, length);
  return { rank: out, axes: axes.map((axis) => axis + out - rank) };
});

/** Dims up to the last of the axes stay as they are: copied, or known to be equal. */
const reshape: Carry = only([0], (reading) => {
  const { graph, node, axes } = reading;
  const [from, to] = [node.inputs[0]!, node.outputs[0]!].map((name) => graph.value(name).shape);
  const target = node.op === 'Reshape' && numberOf(node, 'allowzero', 0) === 0 ? integers(reading, 1) : undefined;
  const rank = target?.length ?? to?.length;
  const stays = (axis: number): boolean => target?.[axis] === 0 || (from?.[axis] != null && from[axis] === to?.[axis]);
  const prefix = Array.from({ length: Math.max(-1, ...axes) + 1 }, (_, axis) => axis);
  return rank !== undefined && prefix.every(stays) ? { rank, axes } : undefined;
});

const ATTENTION_VALUES = [0, 1, 2];

const RULES: Readonly<Record<string, Carry>> = {
  Softmax: along(-1),
  LogSoftmax: along(-1),
  Hardmax: along(-1),
  LpNormalization: along(-1),
  Split: along(0),
  Concat: (reading) => along(0)({ ...reading, slot: 0 }),
  LayerNormalization: alongFrom,
  RMSNormalization: alongFrom,
  LayerNorm: only([0], ofRows),
  InnerProduct: only([0, 3, 12, 13], ofRows),
  DynamicQuantize: ofRows,
  Quantize: only([0], same),
  Dequantize: only([0], same),
  QuantizeLinear: along(1),
  DequantizeLinear: along(1),
  Gemm: only([0], (reading) => (numberOf(reading.node, 'transA', 0) === 0 ? ofRows(reading) : undefined)),
  MatMul: matmul,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Reshape: reshape,
  Flatten: reshape,
  Expand: expand,
  Slice: slice,
  Gather: gather,
  Embeddings: only([0, 3], ({ axes }) => ({ rank: 3, axes })),
  PaddingMask: ({ axes }) => ({ rank: 4, axes: axes.map((axis) => 3 * axis) }),
  // Sequences stay apart, tokens do not.
  Attention: only([...ATTENTION_VALUES, 3], ({ axes }) => (axes.every((axis) => axis === 0) ? { rank: 3, axes } : undefined)),
  ...Object.fromEntries(
    ['Sum', 'Mean', 'Max', 'Min', 'Prod', 'L1', 'L2', 'SumSquare', 'LogSum', 'LogSumExp'].map((f) => [`Reduce${f}`, reduce]),
  ),
};

const ruleOf = (op: string): Carry | undefined =>
  Object.hasOwn(RULES, op) ? RULES[op] : Object.hasOwn(ELEMENTWISE, op) ? elementwise : undefined;

export const equalAxes = (a: Apart, b: Apart): boolean => a.rank === b.rank && a.axes.join() === b.axes.join();

/**
 * Where axes of a value lie in the outputs of a node that reads it; undefined where the node is not known to keep their elements apart:
 * it reduces, normalises, cuts or multiplies along them, or brings two of them together.
 *
 * @param rankOf ranks of the node's other inputs.
 */
export function carryAxes(
  graph: Graph,
  node: Node,
  name: string,
  from: Apart,
  rankOf: (name: string) => number | undefined,
): Apart | undefined {
  const rule = ruleOf(node.op);
  const carried = node.inputs.flatMap((input, slot) =>
    input === name ? [rule?.({ ...from, graph, node, slot, rankOf: (other) => (other === name ? from.rank : rankOf(other)) })] : [],
  );
  const [first] = carried;
  return first && carried.every((each) => each && equalAxes(first, each)) ? first : undefined;
}
