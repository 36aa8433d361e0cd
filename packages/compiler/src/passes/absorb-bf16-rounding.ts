import { decline, op, rewrite } from '../rewrite';

const made = op(['InnerProduct', 'LayerNorm']).as('made');

/**
 * A product or LayerNorm cast to bf16 and back  →  the same, rounding its result.
 *
 * f32 in, f32 out: readers find the numbers that they found behind the casts.
 */
export const absorbBf16Rounding = rewrite({
  name: 'absorb-bf16-rounding',
  summary: 'a Cast to bf16 and back behind an InnerProduct or a LayerNorm becomes the rounding of its result',
  pattern: op('Cast', op('Cast', made).with({ to: 'bf16' })).with({ to: 'f32' }),
  replace: ({ made }, graph) => {
    if (made.dtype !== 'f32') return decline(`it rounds ${made.dtype}`);
    const node = graph.producer(made)!;
    return graph.op(
      node.op,
      node.inputs.map((_, slot) => graph.input(node, slot)),
      { ...node.attributes, rounding: 'bf16' },
    );
  },
});
