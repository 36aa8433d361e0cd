import type { Shape } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';
import { countingConstant, type IndexFact, IndexTrace, isInOrder, lastAxisParts } from './index-trace';
import type { KnownValues } from './known-values';
import { sameShape } from './shape-facts';
import { elementNumber } from './tensor-facts';

/**
 * A value each element of which depends on one element of a token mask [B, S] only.
 *
 * Whatever arithmetic an exporter writes, the value is known once it is known where the mask is 0 and where it is 1.
 */
export interface MaskFact {
  /** The mask [B, S]. */
  readonly source: string;
  /** What the value is where the mask is 0, and where it is 1 (false and true as 0 and 1). */
  readonly zero: number;
  readonly one: number;
  /** `same`: the mask itself; `nonzero`: depends on whether it is 0; `binary`: right for 0 and 1 only. */
  readonly exactness: 'same' | 'nonzero' | 'binary';
  /** The dims before any Expand; the elements lie in the mask's own order. */
  readonly shape: Shape;
}

type Fold = (a: number, b: number) => number;

const BINARY: Readonly<Record<string, Fold>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Max: Math.max,
  Min: Math.min,
  Equal: (a, b) => Number(a === b),
  Greater: (a, b) => Number(a > b),
  GreaterOrEqual: (a, b) => Number(a >= b),
  Less: (a, b) => Number(a < b),
  LessOrEqual: (a, b) => Number(a <= b),
  And: (a, b) => a & b,
  Or: (a, b) => a | b,
  Xor: (a, b) => a ^ b,
};

/** Constants up to this size are looked through for being one number throughout. */
const UNIFORM_ELEMENTS = 4096;

/** Follows token masks through a graph. One instance serves one snapshot. */
export class MaskTrace {
  private readonly facts = new Map<string, MaskFact | undefined>();
  private readonly index: IndexTrace;

  constructor(
    private readonly graph: Graph,
    private readonly producers: ReadonlyMap<string, Node>,
    known: KnownValues,
  ) {
    this.index = new IndexTrace(graph, producers, known);
    // In graph order every operand is known before its reader asks: no chain of nodes, however long, nests calls.
    for (const node of graph.nodes) for (const output of node.outputs) if (output) this.of(output);
  }

  /** What a value says about a mask; undefined where it depends on more, or on none. */
  of(name: string): MaskFact | undefined {
    if (this.facts.has(name)) return this.facts.get(name);
    const fact = name === '' || this.graph.constant(name) ? undefined : (this.follow(name) ?? this.asSource(name));
    this.facts.set(name, fact);
    return fact;
  }

  /** A [B, S] value that nothing simpler explains is a mask by itself. */
  private asSource(name: string): MaskFact | undefined {
    const { dtype, shape } = this.graph.value(name);
    if (shape?.length !== 2 || !['bool', 's64', 's32', 'f32'].includes(dtype)) return undefined;
    return { source: name, zero: 0, one: 1, exactness: dtype === 'bool' ? 'nonzero' : 'same', shape };
  }

  private follow(name: string): MaskFact | undefined {
    const node = this.producers.get(name);
    if (!node) return undefined;
    const [a = '', b = ''] = node.inputs;
    switch (node.op) {
      case 'Cast':
        return this.cast(a, name);
      case 'Not':
        return map(this.of(a), (x) => Number(!x));
      case 'Neg':
        return map(this.of(a), (x) => -x);
      case 'Unsqueeze':
      case 'Squeeze':
      case 'Flatten':
      case 'Reshape':
        return this.reshape(a, name);
      case 'Expand':
        return this.of(a);
      case 'And':
        if (this.index.isAllTrue(a)) return this.of(b);
        if (this.index.isAllTrue(b)) return this.of(a);
        return this.binary(node.op, a, b, name);
      case 'Where':
        return this.where(node.inputs as [string, string, string], name);
      case 'GatherND':
        return this.gatherPairs(node, name);
      case 'Gather':
        return this.gatherFlat(node, name);
      default:
        return BINARY[node.op] && node.inputs.length === 2 ? this.binary(node.op, a, b, name) : undefined;
    }
  }

  private cast(input: string, name: string): MaskFact | undefined {
    const fact = this.of(input);
    if (!fact) return undefined;
    const { dtype } = this.graph.value(name);
    if (dtype === 'bool')
      return { ...map(fact, (x) => Number(x !== 0))!, exactness: fact.exactness === 'same' ? 'nonzero' : fact.exactness };
    return fact.exactness === 'same' || dtype === 'f32' ? fact : map(fact, Math.trunc);
  }

  /** Reshapes keep the order of elements, as long as none has been repeated before. */
  private reshape(input: string, name: string): MaskFact | undefined {
    const fact = this.of(input);
    const { shape } = this.graph.value(name);
    return fact && shape && sameShape(fact.shape, this.graph.value(input).shape) ? { ...fact, shape } : undefined;
  }

  private binary(op: string, a: string, b: string, name: string): MaskFact | undefined {
    const fold = this.rounded(BINARY[op]!, name);
    const left = this.of(a);
    const right = this.of(b);
    if (left && right) {
      if (left.source !== right.source || !sameShape(left.shape, right.shape)) return undefined;
      return { ...weaker(left, right), zero: fold(left.zero, right.zero), one: fold(left.one, right.one) };
    }
    const fact = left ?? right;
    const scalar = this.uniform(left ? b : a, fact?.shape.length);
    if (!fact || scalar === undefined) return undefined;
    const result = map(fact, (x) => (left ? fold(x, scalar) : fold(scalar, x)))!;
    return op === 'Equal' && scalar === 0 && fact.exactness === 'same' ? { ...result, exactness: 'nonzero' } : result;
  }

  private where([condition, a, b]: [string, string, string], _name: string): MaskFact | undefined {
    const fact = this.of(condition);
    if (!fact) return undefined;
    const pick = (name: string): MaskFact | undefined => {
      const scalar = this.uniform(name, fact.shape.length);
      if (scalar !== undefined) return { ...fact, zero: scalar, one: scalar };
      const branch = this.of(name);
      return branch && branch.source === fact.source && sameShape(branch.shape, fact.shape) ? branch : undefined;
    };
    const yes = pick(a);
    const no = pick(b);
    if (!yes || !no) return undefined;
    const { exactness } = weaker(fact, weaker(yes, no));
    return { ...fact, exactness, zero: fact.zero ? yes.zero : no.zero, one: fact.one ? yes.one : no.one };
  }

  /** mask[b, k] by pairs of counted positions. */
  private gatherPairs(node: Node, name: string): MaskFact | undefined {
    const mask = this.of(node.inputs[0]!);
    const { shape } = this.graph.value(name);
    if (mask?.shape.length !== 2 || Number(node.attributes['batch_dims'] ?? 0) !== 0) return undefined;
    const [row, column] = this.pairsOf(node.inputs[1]!, shape?.length) ?? [];
    return row && column && this.gathered(mask, row, column);
  }

  /** The two counted positions of a gather by pairs: a constant, or two vectors joined in a last axis. */
  private pairsOf(name: string, rank: number | undefined): (IndexFact | undefined)[] | undefined {
    const constant = this.graph.constant(name);
    if (constant) return constant.dims.at(-1) === 2 ? lastAxisParts(constant).map(countingConstant) : undefined;
    const node = this.producers.get(name);
    if (node?.op !== 'Concat' || node.inputs.length !== 2) return undefined;
    const axis = Number(node.attributes['axis']);
    if (axis !== -1 && axis !== rank) return undefined;
    return node.inputs.map((input) => {
      const fact = this.index.indexOf(input);
      return fact?.shape.at(-1) === 1 ? { ...fact, shape: fact.shape.slice(0, -1) } : undefined;
    });
  }

  /** The same by b · S + k into the flattened mask. */
  private gatherFlat(node: Node, name: string): MaskFact | undefined {
    const flat = this.of(node.inputs[0]!);
    const sum = this.producers.get(node.inputs[1]!);
    const { shape } = this.graph.value(name);
    if (!flat || !shape || Number(node.attributes['axis'] ?? 0) !== 0) return undefined;
    const source = this.graph.value(flat.source).shape!;
    if (flat.shape.slice(1).some((dim) => dim !== 1)) return undefined;
    const constant = this.graph.constant(node.inputs[1]);
    if (constant) return constant.data.length === flat.shape[0] && isInOrder(constant) ? { ...flat, shape } : undefined;
    if (sum?.op !== 'Add' || sameShape(flat.shape, source)) return undefined;
    for (const [columns, rows] of [sum.inputs, [...sum.inputs].reverse()] as [string, string][]) {
      const column = this.index.indexOf(columns);
      const product = this.producers.get(rows);
      if (!column || product?.op !== 'Mul') continue;
      for (const [counted, width] of [product.inputs, [...product.inputs].reverse()] as [string, string][]) {
        const row = this.index.indexOf(counted);
        const elements = this.index.known.elementsOf(width);
        if (!row || elements?.length !== 1 || elements[0] === null || elements[0] !== source[1]) continue;
        const fact = this.gathered({ ...flat, shape: source }, row, column);
        return fact && { ...fact, shape: [...fact.shape, ...flat.shape.slice(1)] };
      }
    }
    return undefined;
  }

  /** Rows and columns counted from 0 over the whole mask, rows on an axis before the columns' axis. */
  private gathered(mask: MaskFact, row: IndexFact, column: IndexFact): MaskFact | undefined {
    const [batch, sequence] = this.graph.value(mask.source).shape!;
    if (row.start !== 0 || column.start !== 0 || row.length !== batch || column.length !== sequence || batch === null || sequence === null)
      return undefined;
    const rank = Math.max(row.shape.length, column.shape.length);
    const at = (shape: Shape, i: number): Shape[number] => shape[i - rank + shape.length] ?? 1;
    const axisOf = (fact: IndexFact): number => rank - fact.shape.length + fact.shape.findIndex((dim) => dim !== 1);
    if (batch !== 1 && sequence !== 1 && axisOf(row) >= axisOf(column)) return undefined;
    return { ...mask, shape: Array.from({ length: rank }, (_, i) => (at(row.shape, i) === 1 ? at(column.shape, i) : at(row.shape, i))) };
  }

  /** The number that a constant holds throughout, if its rank is at most `rank` and its dims are all 1 or it is small. */
  private uniform(name: string, rank: number | undefined): number | undefined {
    const constant = this.graph.constant(name);
    if (!constant || rank === undefined || constant.dims.length > rank || constant.data.length === 0) return undefined;
    if (constant.data.length > UNIFORM_ELEMENTS || constant.dims.some((dim) => dim !== 1)) return undefined;
    return elementNumber(constant, 0);
  }

  /** The fold as the graph computes it: in f32 where the result is f32. */
  private rounded(fold: Fold, name: string): Fold {
    return this.graph.value(name).dtype === 'f32' ? (a, b) => Math.fround(fold(a, b)) : fold;
  }
}

/** The same mask through a function; what was the mask itself is then right for 0 and 1 only. */
function map(fact: MaskFact | undefined, f: (x: number) => number): MaskFact | undefined {
  return fact && { ...fact, zero: f(fact.zero), one: f(fact.one), exactness: fact.exactness === 'same' ? 'binary' : fact.exactness };
}

const RANKS = { same: 2, nonzero: 1, binary: 0 } as const;

/** Two facts on one mask: what holds for both. */
function weaker(a: MaskFact, b: MaskFact): MaskFact {
  const exactness =
    a.exactness === 'same' || b.exactness === 'same' ? 'binary' : RANKS[a.exactness] < RANKS[b.exactness] ? a.exactness : b.exactness;
  return { ...a, exactness };
}
