import { formatShape } from '@neural-engine/core';
import type { Graph, Node } from '../graph';
import { attributeTexts } from './text';

/** A run of equal layers: `count` times `length` nodes from position `start` on. */
export interface Repeat {
  readonly start: number;
  readonly length: number;
  readonly count: number;
}

/** Beyond this the comparison of all distances would take noticeable time. */
const MAX_NODES = 4000;
/** Shorter layers are chains of small operators that are clearer in full. */
const MIN_LENGTH = 3;

/**
 * The consecutive equal layers that cover most of a graph, if there are any.
 *
 * Two nodes are equal when operator, attributes and the shapes of their constants are; which values they read is not compared.
 */
export function findRepeat(graph: Graph, nodes: readonly Node[] = graph.nodes): Repeat | undefined {
  if (nodes.length > MAX_NODES) return undefined;
  const ids = new Map<string, number>();
  const kinds = nodes.map((node) => {
    const text = signature(graph, node);
    const id = ids.get(text) ?? ids.size;
    ids.set(text, id);
    return id;
  });
  let best: Repeat | undefined;
  for (let length = MIN_LENGTH; length <= nodes.length / 2; length++) {
    let first = 0;
    for (let i = 0; i + length <= nodes.length; i++) {
      if (i + length < nodes.length && kinds[i] === kinds[i + length]) continue;
      // The nodes from `first` to i + length have this period. What is left over of a layer goes to the front: encoders begin with
      // an embedding that ends like a layer, so that the last equal node is the end of a layer.
      const total = i - first + length;
      const count = Math.floor(total / length);
      if (count >= 2 && (!best || count * length > best.count * best.length)) best = { start: first + (total % length), length, count };
      first = i + 1;
    }
  }
  return best;
}

function signature(graph: Graph, node: Node): string {
  const constants = node.inputs.map((name) => {
    const constant = graph.constant(name);
    return constant ? `${constant.dtype}${formatShape(constant.dims)}` : name === '' ? '' : '·';
  });
  return [node.op, ...attributeTexts(node), '|', ...constants].join(' ');
}
