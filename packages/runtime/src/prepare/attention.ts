import { EngineError } from '@neural-engine/core';
import type { AttributeValue, Graph, Node } from '@neural-engine/ir';
import type { Code } from '@neural-engine/kernels';
import { codeS8, codeU8, rangeInput } from './codes';
import type { PanelOp } from './prepared';

const SLOT = { qMin: 4, kMin: 6, vMin: 8, yMin: 10 } as const;

/** Attention over a key mask → the fused f32 step, or the u8 × s8 one when its inputs are s8. */
export function lowerAttention(graph: Graph, node: Node): PanelOp {
  const [q, k, v] = node.inputs as [string, string, string];
  const heads = node.attributes['heads'] as number;
  const scale = node.attributes['scale'] as number;
  const y = node.outputs[0]!;
  const dtypes = [q, k, v].map((name) => graph.value(name).dtype);
  if (dtypes.every((dtype) => dtype === 'f32') && graph.value(y).dtype === 'f32') {
    const [scores, probabilities] = ['score_range', 'probability_range'].map((name) => codeOfRange(node.attributes[name]));
    return { op: 'attention', q, k, v, y, heads, scale, scores: scores!, probabilities: probabilities! };
  }
  if (!dtypes.every((dtype) => dtype === 's8') || graph.value(y).dtype !== 'u8') {
    throw new EngineError(
      'E_UNSUPPORTED',
      'load',
      `node "${node.name}" (Attention): no kernel takes ${dtypes.join(', ')} and gives ${graph.value(y).dtype}`,
      { where: node.name },
    );
  }
  const signed = (slot: number, what: string): number => {
    const { min, max } = rangeInput(graph, node, slot, what);
    return codeS8(min, max).scale;
  };
  const out = rangeInput(graph, node, SLOT.yMin, 'the output');
  const code = codeU8(out.min, out.max);
  return {
    op: 'attention_i8',
    q,
    k,
    v,
    y,
    heads,
    scale: Math.fround(scale / (signed(SLOT.qMin, 'the queries') * signed(SLOT.kMin, 'the keys'))),
    outScale: Math.fround(code.scale / signed(SLOT.vMin, 'the values')),
    zero: code.zero,
  };
}

/** The u8 code of a range attribute; null where it is absent or empty. */
function codeOfRange(range: AttributeValue | undefined): Code | null {
  const [min, max] = (range ?? []) as readonly number[];
  return min === undefined || max === undefined ? null : codeU8(min, max);
}
