import type { Graph, Node } from '@neural-engine/ir';
import { type Apart, carryAxes, equalAxes } from './carry-axes';
import type { Component } from './prepared';

/** A key this far below the others gets probability 0 in f32: exp(−104) underflows, and scores differ by less than the rest. */
const VANISHES = -1000;

/**
 * Whether masked tokens can be left out of all work.
 *
 * They can when nothing shows them: the additive mask makes their probability underflow to zero, and what leaves the encoder either keeps
 * tokens apart up to the outputs (where masked positions carry no meaning), reads only a first token, or multiplies by the mask before it
 * sums. The axes of sequences and tokens are followed through each operator: a product or softmax over features keeps tokens apart, and one
 * over the same axis once features were squeezed away does not. A first token may be masked too, which a run tells: its mask has to be an input.
 */
export function packSequences(
  graph: Graph,
  encoder: ReadonlySet<Node>,
  padding: Node,
): Pick<Component, 'pack' | 'packReason' | 'readsFirst'> {
  const value = padding.attributes['value'] as number;
  if (!(value <= VANISHES)) return { pack: false, packReason: `a masked key still counts: its bias is ${value}` };
  const mask = padding.inputs[0]!;
  let readsFirst = false;
  const consumers = graph.consumers();
  const masks = maskDescendants(graph, mask, consumers);
  const hidden = new Map<string, Apart>();
  const rankOf = (name: string): number | undefined => (hidden.get(name) ?? masks.get(name))?.rank ?? graph.value(name).shape?.length;
  const queue: string[] = [];
  const add = (name: string, apart: Apart): boolean => {
    const before = hidden.get(name);
    if (!before) queue.push(name);
    hidden.set(name, apart);
    return !before || equalAxes(before, apart);
  };
  /** Whether a factor is the mask, lying as the tokens do. */
  const hides = (node: Node, factor: string, carried: Apart): boolean => {
    const own = masks.get(factor);
    const laid = own && carryAxes(graph, node, factor, own, rankOf);
    return laid !== undefined && equalAxes(laid, carried);
  };
  for (const node of encoder) for (const name of node.outputs.filter(Boolean)) add(name, ROWS);
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const apart = hidden.get(name)!;
    for (const consumer of consumers.get(name) ?? []) {
      const mixes = { pack: false, packReason: `node "${consumer.name}" (${consumer.op}) may look at masked tokens` };
      if (encoder.has(consumer)) {
        if (!equalAxes(apart, ROWS)) return mixes;
        continue;
      }
      if (consumer.op === 'Shape' || consumer.op === 'Size') continue;
      if (graph.inputs.includes(mask) && readsFirstToken(graph, consumer, name, apart)) {
        readsFirst = true;
        continue;
      }
      const carried = carryAxes(graph, consumer, name, apart, rankOf);
      if (!carried) return mixes;
      if (consumer.op === 'Mul' && consumer.inputs.some((input) => input !== name && hides(consumer, input, carried))) continue;
      for (const output of consumer.outputs.filter(Boolean)) if (!add(output, carried)) return mixes;
    }
  }
  return { pack: true, packReason: 'masked tokens cannot be observed', readsFirst };
}

/** What an encoder makes: `[batch, sequence, features]`. */
const ROWS: Apart = { rank: 3, axes: [0, 1] };

/** Whether a node takes nothing of a value but its first token, by Gather or Slice. */
function readsFirstToken(graph: Graph, node: Node, name: string, { rank, axes }: Apart): boolean {
  if (node.inputs.indexOf(name) !== 0 || node.inputs.lastIndexOf(name) !== 0) return false;
  const tokens = axes.at(-1)!;
  const numbers = (slot: number): number[] | undefined => {
    const constant = graph.constant(node.inputs[slot]);
    return constant && Array.from(constant.data as ArrayLike<number | bigint>, Number);
  };
  const isTokens = (axis: number): boolean => (axis < 0 ? axis + rank : axis) === tokens;
  if (node.op === 'Gather') return isTokens((node.attributes['axis'] as number | undefined) ?? 0) && numbers(1)?.join() === '0';
  if (node.op !== 'Slice') return false;
  const at = numbers(3)?.findIndex(isTokens) ?? -1;
  return at >= 0 && numbers(1)?.[at] === 0 && numbers(2)?.[at] === 1;
}

/** Values computed from the mask alone by operators that keep its zeros zero. */
function maskDescendants(graph: Graph, mask: string, consumers: ReadonlyMap<string, Node[]>): ReadonlyMap<string, Apart> {
  const keepsZeros = new Set(['Cast', 'Unsqueeze', 'Expand', 'Identity', 'Reshape']);
  const found = new Map<string, Apart>([[mask, { rank: 2, axes: [0, 1] }]]);
  for (const [name, apart] of found) {
    for (const consumer of consumers.get(name) ?? []) {
      if (!keepsZeros.has(consumer.op) || consumer.inputs[0] !== name) continue;
      const carried = carryAxes(graph, consumer, name, apart, (other) => graph.value(other).shape?.length);
      if (carried) found.set(consumer.outputs[0]!, carried);
    }
  }
  return found;
}
