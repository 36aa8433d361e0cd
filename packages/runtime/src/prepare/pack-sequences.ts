import type { Graph, Node } from '@neural-engine/ir';

/** A key this far below the others gets probability 0 in f32: exp(−104) underflows, and scores differ by less than the rest. */
const VANISHES = -1000;

/** Operators that treat each row (all axes but the last) by itself. */
const ROW_WISE = new Set([
  'Split',
  'Squeeze',
  'Identity',
  'Cast',
  'Relu',
  'Tanh',
  'Sigmoid',
  'Gelu',
  'Erf',
  'Add',
  'Mul',
  'Sub',
  'Div',
  'Softmax',
  'LogSoftmax',
  'Slice',
  'InnerProduct',
  'LayerNorm',
  'DynamicQuantize',
]);

/**
 * Whether masked tokens can be left out of all work.
 *
 * They can when nothing shows them: the additive mask makes their probability underflow to zero, and what leaves the encoder either keeps
 * rows apart up to the outputs (where masked positions carry no meaning), reads only a first token, or multiplies by the mask before it sums.
 */
export function packSequences(graph: Graph, encoder: ReadonlySet<Node>, padding: Node): { pack: boolean; packReason: string } {
  const value = padding.attributes['value'] as number;
  if (!(value <= VANISHES)) return { pack: false, packReason: `a masked key still counts: its bias is ${value}` };
  const consumers = graph.consumers();
  const fromMask = maskDescendants(padding.inputs[0]!, consumers);
  const seen = new Set<string>();
  const queue = [...encoder].flatMap((node) => node.outputs);
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    for (const consumer of consumers.get(name) ?? []) {
      if (encoder.has(consumer)) continue;
      if (consumer.op === 'Gather' && consumer.inputs[0] === name && readsFirstToken(graph, consumer)) continue;
      if (consumer.op === 'Mul' && consumer.inputs.some((input) => input !== name && fromMask.has(input))) continue;
      if (!ROW_WISE.has(consumer.op))
        return { pack: false, packReason: `node "${consumer.name}" (${consumer.op}) may look at masked tokens` };
      queue.push(...consumer.outputs);
    }
  }
  return { pack: true, packReason: 'masked tokens cannot be observed' };
}

function readsFirstToken(graph: Graph, gather: Node): boolean {
  const index = graph.constant(gather.inputs[1]);
  return (gather.attributes['axis'] ?? 0) === 1 && index !== undefined && index.data.length === 1 && Number(index.data[0]) === 0;
}

/** Values computed from the mask alone by operators that keep its zeros zero. */
function maskDescendants(mask: string, consumers: ReadonlyMap<string, Node[]>): Set<string> {
  const keepsZeros = new Set(['Cast', 'Unsqueeze', 'Expand', 'Identity', 'Reshape']);
  const found = new Set([mask]);
  const queue = [mask];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    for (const consumer of consumers.get(name) ?? []) {
      if (!keepsZeros.has(consumer.op) || consumer.inputs[0] !== name) continue;
      for (const output of consumer.outputs) {
        found.add(output);
        queue.push(output);
      }
    }
  }
  return found;
}
