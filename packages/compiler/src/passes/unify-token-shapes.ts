import type { Dim, Shape } from '@neural-engine/core';
import { type Graph, inferShapes } from '@neural-engine/ir';
import type { Pass } from '../rewrite';

/** How exporters call the inputs that hold one number a token. */
const TOKEN_INPUT = /ids|mask|type|segment|token/i;

/**
 * Token inputs whose dims have different names, or none  →  the names of the first.
 *
 * Some exporters name the dims of each input anew (`unk__6`, `unk__8`), and no inference can tell that ids, mask and token types
 * are of one shape. The engine takes them to be, and refuses a request in which they are not. A file that gives two of them one name for one
 * dim and two for the other names dims with care, as for queries and passages: it is taken at its word.
 */
export const unifyTokenShapes: Pass = {
  name: 'unify-token-shapes',
  summary: 'ids, masks and token types [batch, sequence] get the same names for their dims',
  run: (source, { log }) => {
    const inputs = source.inputs.filter((name) => TOKEN_INPUT.test(name) && isTokenShape(source, name));
    if (inputs.length === 0) return source;
    const shapes = inputs.map((name) => source.value(name).shape!);
    const shape = shapes.some((a) => shapes.some((b) => differOnPurpose(a, b))) ? undefined : commonShape(shapes);
    if (!shape || inputs.every((name) => source.value(name).shape!.every((dim, i) => dim === shape[i]))) return source;
    const graph = source.clone();
    for (const name of inputs) graph.value(name).shape = shape;
    inferShapes(graph);
    log.note(inputs[0]!, `${inputs.map((name) => `"${name}"`).join(', ')} are taken to be [${shape.join(', ')}] together`);
    return graph;
  },
};

const isTokenShape = (graph: Graph, name: string): boolean => {
  const { dtype, shape } = graph.value(name);
  return shape?.length === 2 && (['s64', 's32', 'bool'].includes(dtype) || (dtype === 'f32' && /mask/i.test(name)));
};

/** Whether two shapes [batch, sequence] have one name for one dim and a name each for the other. */
const differOnPurpose = (a: Shape, b: Shape): boolean =>
  [0, 1].some((axis) => {
    const [own, other] = [a[axis]!, a[1 - axis]!];
    return (
      typeof own === 'string' && own === b[axis] && typeof other === 'string' && typeof b[1 - axis] === 'string' && other !== b[1 - axis]
    );
  });

/** A number where one has it, else the first name, else a name of ours; undefined where two numbers differ. */
function commonShape(shapes: readonly Shape[]): Shape | undefined {
  const dims = ['batch', 'sequence'].map((fallback, axis): Dim | undefined => {
    const known = new Set(shapes.map((shape) => shape[axis]!).filter((dim) => typeof dim === 'number'));
    if (known.size > 1) return undefined;
    return known.values().next().value ?? shapes.map((shape) => shape[axis]!).find((dim) => dim !== null) ?? fallback;
  });
  return dims.includes(undefined) ? undefined : (dims as Shape);
}
