import { type Shape, s64 } from '@neural-engine/core';
import type { Value } from '@neural-engine/ir';
import { sameShape } from '../facts/shape-facts';
import { integersOf } from '../facts/tensor-facts';
import { oneOf, op, type Replacement, rewrite, value } from '../rewrite';

const x = value('x');

/**
 * Reshape by computed dims  →  Reshape by constants, where inference knows both shapes.
 *
 * A dim that equals the input's at the same place is written 0 (copy), one more may be −1. The shape arithmetic before it falls away.
 */
export const resolveReshape = rewrite({
  name: 'resolve-reshape',
  summary: 'a Reshape whose computed dims are understood gets constant ones',
  pattern: op('Reshape', x, value('dims')),
  replace: ({ x, dims }, graph) => (dims.constant ? undefined : reshapeTo(graph, x)),
});

/** Two operators in a row that only rearrange dims, the last a Reshape  →  one Reshape. */
export const mergeReshapes = rewrite({
  name: 'merge-reshapes',
  summary: 'a Reshape after Reshape, Flatten, Squeeze or Unsqueeze takes their place',
  pattern: op(
    'Reshape',
    oneOf(op(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'], x, value('first')).shared(), op(['Flatten', 'Squeeze'], x).shared()),
    value('dims'),
  ),
  replace: ({ x }, graph) => reshapeTo(graph, x),
});

function reshapeTo(graph: Replacement, x: Value): Value | undefined {
  const target = graph.graph.value(graph.root.outputs[0]!).shape;
  const dims = target && x.shape && reshapeDims(x.shape, target);
  return dims && graph.op('Reshape', [x, graph.constant('dims', s64(dims))], { allowzero: 0 });
}

/** Dims for Reshape that turn `from` into `to`; undefined where more than one of them would have to be inferred. */
export function reshapeDims(from: Shape, to: Shape): number[] | undefined {
  let inferred = 0;
  const dims = to.map((dim, i) => {
    if (typeof dim === 'number' && dim > 0) return dim;
    if (dim !== null && dim === from[i]) return 0;
    inferred++;
    return dim === 0 ? Number.NaN : -1;
  });
  return inferred > 1 || dims.some(Number.isNaN) ? undefined : dims;
}

/** Transpose without a permutation reverses the axes  →  the permutation written out. */
export const writePermutation = rewrite({
  name: 'write-permutation',
  summary: 'a Transpose that reverses all axes says so',
  pattern: op('Transpose', x),
  replace: ({ x }, graph) => {
    if (graph.root.attributes['perm'] !== undefined || !x.shape) return undefined;
    return graph.op('Transpose', [x], { perm: x.shape.map((_, i) => x.shape!.length - 1 - i) });
  },
});

/** Transpose of a Transpose  →  one. */
export const mergeTransposes = rewrite({
  name: 'merge-transposes',
  summary: 'two Transposes in a row become one',
  pattern: op('Transpose', op('Transpose', x).shared().as('first')),
  replace: ({ x, first }, graph) => {
    const inner = permutationOf(graph, first);
    const outer = graph.root.attributes['perm'];
    if (!inner || !Array.isArray(outer) || inner.length !== outer.length) return undefined;
    return graph.op('Transpose', [x], { perm: outer.map((axis: number) => inner[axis]!) });
  },
});

/**
 * Leading axes flattened, the last two exchanged, the leading axes restored  →  one Transpose of the last two axes.
 */
export const mergeBatchedTranspose = rewrite({
  name: 'merge-batched-transpose',
  summary: 'an exchange of the last two axes inside two Reshapes becomes one Transpose',
  pattern: op(
    'Reshape',
    op('Transpose', op('Reshape', x, value('flat')).shared().as('flattened'))
      .with({ perm: [0, 2, 1] })
      .shared(),
    value('dims'),
  ),
  replace: ({ x, flattened }, graph) => {
    const target = graph.graph.value(graph.root.outputs[0]!).shape;
    if (!x.shape || x.shape.length < 3 || flattened.shape?.length !== 3) return undefined;
    const lead = x.shape.slice(0, -2);
    const [rows, columns] = x.shape.slice(-2);
    if (!sameShape(flattened.shape.slice(1), [rows!, columns!]) || !sameShape(target, [...lead, columns!, rows!])) return undefined;
    const rank = x.shape.length;
    return graph.op('Transpose', [x], { perm: [...lead.keys(), rank - 1, rank - 2] });
  },
});

/** Unsqueeze of an Unsqueeze  →  one. */
export const mergeUnsqueezes = rewrite({
  name: 'merge-unsqueezes',
  summary: 'two Unsqueezes in a row become one',
  pattern: op('Unsqueeze', op('Unsqueeze', x, value('first')).shared().as('inner'), value('second')),
  replace: ({ inner, first, second }, graph) => {
    const rank = inner.shape?.length;
    const firstAxes = integersOf(first.constant);
    const secondAxes = integersOf(second.constant);
    if (rank === undefined || !firstAxes || !secondAxes) return undefined;
    const total = rank + secondAxes.length;
    const outer = new Set(secondAxes.map((axis) => (axis < 0 ? axis + total : axis)));
    const places = Array.from({ length: total }, (_, i) => i).filter((i) => !outer.has(i));
    const lifted = firstAxes.map((axis) => places[axis < 0 ? axis + rank : axis]!);
    const axes = [...outer, ...lifted].sort((a, b) => a - b);
    const source = graph.input(graph.producer(inner)!, 0)!;
    return graph.op('Unsqueeze', [source, graph.constant('axes', s64(axes))]);
  },
});

const permutationOf = (graph: Replacement, value: Value): readonly number[] | undefined => {
  const perm = graph.producer(value)?.attributes['perm'];
  return Array.isArray(perm) ? (perm as readonly number[]) : undefined;
};
