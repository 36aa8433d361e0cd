import { type Dim, s64 } from '@neural-engine/core';
import type { Graph, Value } from '@neural-engine/ir';
import { op, type Replacement, rewrite, value } from '../rewrite';

/**
 * Shape(x)  →  the same numbers from the shapes of graph inputs, where inference knows of each dim of x which of theirs it is.
 *
 * Files ask values anywhere for their dims, which makes their Shape a reader that stands in the way of fusions.
 */
export const readInputShapes = rewrite({
  name: 'read-input-shapes',
  summary: 'dims that are those of an input are read from the input',
  pattern: op('Shape', value('x')),
  replace: ({ x }, graph) => {
    const dims = graph.graph.inputs.includes(x.name) ? undefined : readDims(x, graph);
    if (!dims?.some((dim) => typeof dim === 'string')) return undefined;
    const parts: Value[] = [];
    for (let i = 0; i < dims.length; ) {
      const found = typeof dims[i] === 'number' ? undefined : sourceOf(graph.graph, dims, i);
      if (typeof dims[i] !== 'number' && !found) return undefined;
      const numbers = found ? 0 : dims.slice(i).findIndex((dim) => typeof dim !== 'number');
      const count = found?.count ?? (numbers < 0 ? dims.length - i : numbers);
      parts.push(
        found
          ? graph.op('Shape', [found.input], { start: found.axis, end: found.axis + count })
          : graph.constant('dims', s64(dims.slice(i, i + count) as number[])),
      );
      i += count;
    }
    return parts.length === 1 ? parts[0]! : graph.op('Concat', parts, { axis: 0 });
  },
});

/** The dims that the root gives: those of x from one axis to another. */
function readDims(x: Value, { root }: Replacement): readonly Dim[] | undefined {
  const { start = 0, end } = root.attributes;
  return x.shape?.slice(Number(start), end === undefined ? undefined : Number(end));
}

/** The input that has dims[from] and most of what follows one after another, and where. */
function sourceOf(graph: Graph, dims: readonly Dim[], from: number): { input: Value; axis: number; count: number } | undefined {
  let best: { input: Value; axis: number; count: number } | undefined;
  for (const name of graph.inputs) {
    const input = graph.value(name);
    input.shape?.forEach((dim, axis) => {
      let count = 0;
      while (dim !== null && from + count < dims.length && dims[from + count] === input.shape![axis + count]) count++;
      if (count > (best?.count ?? 0)) best = { input, axis, count };
    });
  }
  return best;
}
