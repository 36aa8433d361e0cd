import type { Dim, Shape, Tensor } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';
import type { KnownValues } from './known-values';
import { integersOf, scalarValue } from './tensor-facts';

/** Positions 0, 1, 2, … along one axis, as exporters build them to index with. */
export interface IndexFact {
  /** The first position. */
  readonly start: number;
  readonly length: Dim;
  /** The dims before any Expand: all 1 but one, which is `length`. */
  readonly shape: Shape;
}

/** Recognises index arithmetic: counting vectors, comparisons of them that always hold. */
export class IndexTrace {
  private readonly indices = new Map<string, IndexFact | undefined>();
  private readonly truths = new Map<string, boolean>();

  constructor(
    private readonly graph: Graph,
    private readonly producers: ReadonlyMap<string, Node>,
    readonly known: KnownValues,
  ) {
    // In graph order every operand is known before its reader asks: no chain of nodes, however long, nests calls.
    for (const node of graph.nodes) {
      for (const output of node.outputs) {
        if (!output) continue;
        this.indexOf(output);
        this.isAllTrue(output);
      }
    }
  }

  /** What counting vector a value holds, broadcast or not; undefined where it is something else. */
  indexOf(name: string): IndexFact | undefined {
    if (this.indices.has(name)) return this.indices.get(name);
    const fact = this.findIndex(name);
    this.indices.set(name, fact);
    return fact;
  }

  /** Whether a bool value is true in every element. */
  isAllTrue(name: string): boolean {
    const found = this.truths.get(name) ?? this.findTruth(name);
    this.truths.set(name, found);
    return found;
  }

  private findIndex(name: string): IndexFact | undefined {
    const constant = this.graph.constant(name);
    if (constant) return countingConstant(constant);
    const node = this.producers.get(name);
    if (!node) return undefined;
    const input = node.inputs[0] ?? '';
    switch (node.op) {
      case 'Range':
        return this.range(node, name);
      case 'Cast':
      case 'Expand':
        return this.indexOf(input);
      case 'Reshape': {
        const fact = this.unexpanded(input);
        const shape = this.graph.value(name).shape;
        return fact && shape && onlyDim(shape) === fact.length ? { ...fact, shape } : undefined;
      }
      case 'Unsqueeze': {
        const fact = this.indexOf(input);
        const axes = integersOf(this.graph.constant(node.inputs[1]));
        return fact && axes && this.hasRank(input, fact.shape.length) ? { ...fact, shape: insertOnes(fact.shape, axes) } : undefined;
      }
      default:
        return undefined;
    }
  }

  private findTruth(name: string): boolean {
    const constant = this.graph.constant(name);
    if (constant)
      return constant.dtype === 'bool' && constant.data.length > 0 && (constant.data as Uint8Array).every((element) => element !== 0);
    const node = this.producers.get(name);
    if (!node) return false;
    const [a = '', b = ''] = node.inputs;
    switch (node.op) {
      case 'ConstantOfShape': {
        const value = node.attributes['value'];
        return typeof value === 'object' && 'data' in value && value.dtype === 'bool' && value.data[0] === 1;
      }
      case 'Cast':
        return this.graph.value(a).dtype === 'bool' && this.isAllTrue(a);
      case 'Expand':
      case 'Unsqueeze':
      case 'Reshape':
        return this.isAllTrue(a);
      case 'And':
        return this.isAllTrue(a) && this.isAllTrue(b);
      case 'Not':
        return this.isNeverLess(this.producers.get(a));
      case 'GreaterOrEqual':
        return this.isAtLeast(a, scalarValue(this.graph.constant(b)));
      case 'Greater':
        return this.isAtLeast(a, (scalarValue(this.graph.constant(b)) ?? Number.NaN) + 1);
      default:
        return false;
    }
  }

  /** Less(index, bound) that never holds. */
  private isNeverLess(node: Node | undefined): boolean {
    return node?.op === 'Less' && this.isAtLeast(node.inputs[0]!, scalarValue(this.graph.constant(node.inputs[1])));
  }

  private isAtLeast(name: string, bound: number | undefined): boolean {
    const fact = this.indexOf(name);
    return fact !== undefined && bound !== undefined && fact.start >= bound;
  }

  private range(node: Node, name: string): IndexFact | undefined {
    const start = scalarValue(this.graph.constant(node.inputs[0]));
    const step = scalarValue(this.graph.constant(node.inputs[2]));
    const shape = this.known.of(name).shape;
    if (start === undefined || step !== 1 || shape?.length !== 1) return undefined;
    return { start, length: shape[0]!, shape };
  }

  /** A fact about a value that no Expand has repeated. */
  private unexpanded(name: string): IndexFact | undefined {
    const fact = this.indexOf(name);
    const shape = this.graph.value(name).shape;
    return fact && shape && shape.length === fact.shape.length && shape.every((dim, i) => dim === fact.shape[i]) ? fact : undefined;
  }

  private hasRank(name: string, rank: number): boolean {
    return this.graph.value(name).shape?.length === rank;
  }
}

/** The one dim that is not 1; undefined where there are several. */
function onlyDim(shape: Shape): Dim | undefined {
  const rest = shape.filter((dim) => dim !== 1);
  return rest.length === 1 ? rest[0] : rest.length === 0 ? 1 : undefined;
}

/** `shape` with 1s inserted so that they stand at `axes` of the result. */
export function insertOnes(shape: Shape, axes: readonly number[]): Shape {
  const rank = shape.length + axes.length;
  const at = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  const rest = shape[Symbol.iterator]();
  return Array.from({ length: rank }, (_, i) => (at.has(i) ? 1 : (rest.next().value ?? null)));
}

/** Index constants up to this many elements are looked through. */
const MAX_ELEMENTS = 2 ** 20;

/** The positions in the last axis of a constant, each as a constant without it: the operands of a gather by tuples. */
export function lastAxisParts(tensor: Tensor): Tensor[] {
  const width = tensor.dims.at(-1) ?? 0;
  if (tensor.data.length > MAX_ELEMENTS || !integersOf(tensor) || width > 8) return [];
  const all = integersOf(tensor)!;
  return Array.from({ length: width }, (_, part) => ({
    dtype: 's32',
    dims: tensor.dims.slice(0, -1),
    data: Int32Array.from(all.filter((_, i) => i % width === part)),
  }));
}

/** A constant that counts along one axis and repeats along all others; one number throughout counts to 1. */
export function countingConstant(tensor: Tensor): IndexFact | undefined {
  if (tensor.data.length === 0 || tensor.data.length > MAX_ELEMENTS) return undefined;
  const values = integersOf(tensor);
  if (!values) return undefined;
  const start = values[0]!;
  if (values.every((value) => value === start)) return { start, length: 1, shape: tensor.dims.map(() => 1) };
  let stride = 1;
  for (let axis = tensor.dims.length - 1; axis >= 0; axis--) {
    const length = tensor.dims[axis]!;
    if (length > 1 && values[stride] === start + 1) {
      const counts = values.every((value, i) => value === start + (Math.floor(i / stride) % length));
      return counts ? { start, length, shape: tensor.dims.map((dim, i) => (i === axis ? dim : 1)) } : undefined;
    }
    stride *= length;
  }
  return undefined;
}

/** Whether a constant holds 0, 1, 2, … in the order of its elements. */
export function isInOrder(tensor: Tensor): boolean {
  return tensor.data.length <= MAX_ELEMENTS && (integersOf(tensor)?.every((value, i) => value === i) ?? false);
}
