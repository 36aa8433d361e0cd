import type { Shape } from '@neural-engine/core';
import type { Value } from '@neural-engine/ir';
import { sameShape } from '../facts/shape-facts';
import { scalarValue } from '../facts/tensor-facts';
import {
  type ActivationRange,
  type AnyPattern,
  constant,
  decline,
  oneOf,
  op,
  optional,
  type PassContext,
  type Replacement,
  rewrite,
  scalar,
  value,
} from '../rewrite';
import { limit } from './keep-roundings';

/** `inner`, or `inner` times or over a scalar. */
const scaled = <P extends AnyPattern, N extends string>(inner: P, name: N) =>
  optional(inner, (inner) => oneOf(op('Mul', inner, scalar(`${name}Factor`)), op('Div', inner, scalar(`${name}Divisor`))));

/** `inner`, or `inner` rounded to 8-bit codes. */
const rounded = <P extends AnyPattern, N extends string>(inner: P, name: N) =>
  optional(inner, (inner) => {
    const range = [constant(`${name}Min`), constant(`${name}Max`)] as const;
    return op('Dequantize', op('Quantize', inner, ...range), ...range).as(`${name}Rounded`);
  });

/** [B, S, H] → [B, heads, S, size] for `perm` 0213, [B, heads, size, S] for 0231; scaled before, after, or both, and then rounded. */
const split = <N extends string>(name: N, perm: number[]) =>
  rounded(
    scaled(
      op('Transpose', op('Reshape', scaled(value(name), `${name}Before`), value(`${name}Dims`)).as(`${name}Heads`)).with({ perm }),
      `${name}After`,
    ).as(`${name}Operand`),
    name,
  );

const products = op('MatMul', split('q', [0, 2, 1, 3]), split('k', [0, 2, 3, 1]));
const scores = rounded(scaled(rounded(products, 'products'), 'scores'), 'scores');
const masked = optional(scores, (scores) => op('Add', scores, value('mask')));
const softmax = op('Softmax', masked).as('probabilities');
/** Exporters guard a softmax against rows that are masked as a whole. */
const guarded = optional(softmax, (softmax) => op('Where', op('IsNaN', softmax), scalar(0).as('zero'), softmax).as('guarded'));
const context = rounded(op('MatMul', rounded(guarded, 'probabilities'), split('v', [0, 2, 1, 3])).as('context'), 'context');
const merged = op('Reshape', op('Transpose', context).with({ perm: [0, 2, 1, 3] }), value('mergedDims'));

/**
 * merge(softmax(split(q)·split(k)ᵀ·scale + mask)·split(v))  →  Attention(q, k, v, mask).
 *
 * q, k, v f32 [B, S, H] → f32 [B, S, H]. The number of heads is read from the graph's own reshapes. The scale may stand on q, on k, on the
 * product, or on several of them. A guard that turns the NaN of a wholly masked row into 0 moves behind the attention, and falls away
 * where the mask is a PaddingMask, which is finite. Roundings to 8-bit codes are kept: those of q, k and v move in front, that of the
 * result behind, those of scores and probabilities inside.
 * Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.2.
 */
export const fuseAttention = rewrite({
  name: 'fuse-attention',
  summary: 'split heads, scaled product, mask, softmax, product and merged heads become Attention',
  pattern: merged,
  replace: (found, graph, context) => {
    const { q, k, v, mask, qHeads, kHeads, vHeads, probabilities } = found;
    const rank = probabilities.shape?.length;
    const axis = Number(graph.producer(probabilities)!.attributes['axis'] ?? -1);
    if (rank !== 4 || (axis !== -1 && axis !== 3)) return decline('the softmax is not over the keys');
    if (q.dtype !== 'f32' || k.dtype !== 'f32' || v.dtype !== 'f32') return decline('q, k and v are not f32');
    const heads = headsOf(qHeads, q);
    if (heads === undefined || headsOf(kHeads, k) !== heads || headsOf(vHeads, v) !== heads) {
      return decline('the heads of q, k and v are not a constant split of their last axis, the same for all');
    }
    if (!sameShape(q.shape, k.shape) || !sameShape(q.shape, v.shape)) return decline('q, k and v differ in shape');
    if (mask && !isMaskFor(mask, qHeads.shape!)) return decline('the mask does not broadcast to batch × heads × queries × keys');
    const scale = ['q', 'k', 'scores'].reduce((product, name) => product * factorsOf(found, name), 1);
    const vScale = factorsOf(found, 'v');
    if (vScale !== 1) return decline('v is scaled');
    const codes = moveRanges(found, context);
    if (typeof codes === 'string') context.log.declined(graph.root, `stays in f32: ${codes}`);
    else if (codes) context.attentions.add(graph.root.outputs[0]!);
    if (found.productsRounded && found.scoresRounded) return decline('its scores are rounded twice');
    const needsGuard = found.guarded && mask && graph.producer(mask)?.op !== 'PaddingMask';
    const range = typeof codes === 'object' && { probability_max: Math.fround(codes.max) };
    const operands = [q, k, v].map((operand, i) => round(operand, rangeOf(found, 'qkv'[i]!), 1 / factorsOf(found, 'qkv'[i]!), graph));
    const inside = {
      ...rangeAttribute('score_range', rangeOf(found, 'products'), factorsOf(found, 'scores')),
      ...rangeAttribute('score_range', rangeOf(found, 'scores'), 1),
      ...rangeAttribute('probability_range', rangeOf(found, 'probabilities'), 1),
    };
    const result = graph.op('Attention', [...operands, mask], { heads, scale, ...range, ...inside });
    const attended = round(result, rangeOf(found, 'context'), 1, graph);
    const merged = needsGuard ? graph.op('Where', [graph.op('IsNaN', [attended]), found.zero, attended]) : attended;
    const target = graph.graph.value(graph.root.outputs[0]!);
    return sameShape(target.shape, q.shape) ? merged : graph.op('Reshape', [merged, found.mergedDims]);
  },
});

type Found = Readonly<Record<string, Value | undefined>>;

/** The product of all scalars on one operand. */
function factorsOf(found: Found, name: string): number {
  let product = 1;
  for (const key of name === 'scores' ? [name] : [`${name}Before`, `${name}After`]) {
    product *= scalarValue(found[`${key}Factor`]?.constant) ?? 1;
    product /= scalarValue(found[`${key}Divisor`]?.constant) ?? 1;
  }
  return product;
}

/** The range of a pair that rounds what is called `name`. */
function rangeOf(found: Found, name: string): ActivationRange | undefined {
  const [min, max] = [found[`${name}Min`]?.constant, found[`${name}Max`]?.constant];
  return min && max && { min: Number(min.data[0]), max: Number(max.data[0]) };
}

const times = ({ min, max }: ActivationRange, factor: number): ActivationRange =>
  factor < 0 ? { min: max * factor, max: min * factor } : { min: min * factor, max: max * factor };

/** `x`, rounded to the u8 codes of a range times `factor` where there is one. */
function round(x: Value, range: ActivationRange | undefined, factor: number, graph: Replacement): Value {
  if (!range) return x;
  const { min, max } = times(range, factor);
  const limits = [graph.constant(`${x.name}_min`, limit(min)), graph.constant(`${x.name}_max`, limit(max))];
  return graph.op('Dequantize', [graph.op('Quantize', [x, ...limits], { dtype: 'u8' }), ...limits]);
}

function rangeAttribute(name: string, range: ActivationRange | undefined, factor: number): { readonly [name: string]: number[] } {
  if (!range) return {};
  const { min, max } = times(range, factor);
  return { [name]: [Math.fround(min), Math.fround(max)] };
}

/** heads in [B, S, heads, size] where heads · size is the last axis of x; undefined where the split is something else. */
function headsOf(split: Value, x: Value): number | undefined {
  const shape = split.shape;
  const from = x.shape;
  if (shape?.length !== 4 || from?.length !== 3 || !sameShape(shape.slice(0, 2), from.slice(0, 2))) return undefined;
  const [heads, size] = shape.slice(2);
  return typeof heads === 'number' && typeof size === 'number' && heads * size === from[2] ? heads : undefined;
}

/** Whether a mask's dims broadcast to [B, heads, S, S], given [B, S, heads, size]. */
function isMaskFor(mask: Value, [batch, sequence, heads]: Shape): boolean {
  if (mask.dtype !== 'f32' || !mask.shape || mask.shape.length > 4) return false;
  const want = [batch, heads, sequence, sequence].slice(4 - mask.shape.length);
  return mask.shape.every((dim, i) => dim !== null && (dim === 1 || dim === want[i]));
}

/**
 * A quantised file knows ranges of the operands as multiplied; Attention's are those of its inputs.
 *
 * @returns the range of the probabilities where both products are quantised; why only parts of them are; undefined in a file without ranges.
 */
function moveRanges(found: Found, { ranges }: PassContext): ActivationRange | string | undefined {
  const known = ['q', 'k', 'v'].filter((name) => moveRange(found, name, ranges));
  if (known.length === 0) return undefined;
  if (known.length < 3) return `only ${known.join(' and ')} of q, k and v have a range`;
  return ranges.get(found['guarded']?.name ?? '') ?? ranges.get(found['probabilities']!.name) ?? 'the probabilities have no range';
}

function moveRange(found: Found, name: string, ranges: PassContext['ranges']): boolean {
  const input = found[name]!;
  const operand = found[`${name}Operand`]!;
  const heads = found[`${name}Heads`]!;
  if (ranges.has(operand.name)) {
    const factor = factorsOf(found, name);
    const { min, max } = ranges.get(operand.name)!;
    ranges.set(input.name, { min: Math.min(min / factor, max / factor), max: Math.max(min / factor, max / factor) });
  } else if (ranges.has(heads.name) && !ranges.has(input.name)) {
    ranges.set(input.name, ranges.get(heads.name)!);
  }
  return ranges.has(input.name);
}
