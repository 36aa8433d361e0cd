import type { PreparedNode } from './prepared';

/** Lets a LayerNorm write the 8-bit codes of its result itself where a quantize step follows it: one pass over the panel less. */
export function fuseQuantize(nodes: readonly PreparedNode[]): PreparedNode[] {
  const out: PreparedNode[] = [];
  const normAt = new Map<string, number>();
  for (const node of nodes) {
    if (node.kind === 'panel' && node.op.op === 'quantize') {
      const at = normAt.get(node.op.x);
      const norm = at === undefined ? undefined : out[at]!;
      if (norm?.kind === 'panel' && norm.op.op === 'layer_norm' && norm.op.quantized === null) {
        out[at!] = { ...norm, writes: [...norm.writes, node.op.y], op: { ...norm.op, quantized: node.op.y, code: node.op.code } };
        continue;
      }
    }
    if (node.kind === 'panel' && node.op.op === 'layer_norm') normAt.set(node.op.y, out.length);
    out.push(node);
  }
  return out;
}
