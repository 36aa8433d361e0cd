import { EngineError } from '@neural-engine/core';
import type { IrOperator } from '../config';
import { type OriginalAttributes, outputDtype } from './attributes';
import type { Lift } from './lift';
import { liftDynamicAttention } from './lift-dynamic';
import type { Ranges, View } from './view';

export function liftMatmul(lift: Lift, operator: IrOperator, attributes: OriginalAttributes): View {
  const [a, b, third] = operator.inputs as [string, string, string | undefined];
  const [left, right] = [lift.view(a, operator), lift.view(b, operator)];
  if (left.kind === 'tokens' && right.kind === 'tokens') {
    const heads = left.heads ?? right.heads;
    if (!heads)
      throw new EngineError('E_UNSUPPORTED', 'ir', `operator "${operator.name}" (Matmul): the number of heads is not in the file`, {
        where: operator.name,
      });
    const masked = third === undefined ? undefined : lift.view(third, operator);
    const rest = operator.inputs.slice(masked?.kind === 'mask' ? 3 : 2);
    const ranges = rest.length >= 4 ? (rest.slice(0, 4).map((name) => lift.constant(name, operator)) as unknown as Ranges) : undefined;
    const scale = attributes.number('output_scale', 1);
    return {
      kind: 'scores',
      q: left.name,
      k: right.name,
      heads,
      scale,
      ...(masked?.kind === 'mask' ? { mask: masked.mask } : {}),
      ...(ranges ? { ranges } : {}),
    };
  }
  if (left.kind === 'scores' && right.kind === 'tokens') {
    const rest = operator.inputs.slice(2).map((name) => lift.constant(name, operator));
    const [vRange, yRange] = [rest.slice(2, 4), rest.slice(4, 6)];
    return {
      kind: 'tokens',
      name: attention(lift, operator, left, right.name, vRange, yRange, outputDtype(attributes)),
    };
  }
  throw new EngineError('E_UNSUPPORTED', 'ir', `operator "${operator.name}" (Matmul) multiplies ${left.kind} and ${right.kind}`, {
    where: operator.name,
  });
}

/** Probabilities are part of attention; what stays is the range in which they are coded. */
export function liftSoftmax(lift: Lift, operator: IrOperator): View {
  const scores = lift.view(operator.inputs[0]!, operator);
  if (scores.kind !== 'scores' || operator.inputs.length !== 3) return scores;
  return {
    ...scores,
    ...probabilityRange(
      lift,
      operator.inputs.slice(1).map((name) => lift.constant(name, operator)),
    ),
  };
}

/** Ranges other than [0, max] occur in no file; [0, 1] goes without saying. */
function probabilityRange(lift: Lift, [min, max]: readonly string[]): { probabilityMax?: number } {
  const [low, high] = [min, max].map((name) => Number(lift.graph.constant(name)!.data[0]));
  return low === 0 && high! > 0 && high! < 1 ? { probabilityMax: high! } : {};
}

/** Softmax(scores)·v. Where only values and probabilities are 8-bit, the products run in f32 and the result is quantised. */
function attention(
  lift: Lift,
  operator: IrOperator,
  scores: Extract<View, { kind: 'scores' }>,
  v: string,
  vRange: readonly string[],
  yRange: readonly string[],
  dtype: 'f32' | 'u8' | 's8',
): string {
  const { q, k, heads, scale, mask = '', ranges, probabilityMax } = scores;
  const form = { heads, scale, ...(probabilityMax === undefined ? {} : { probability_max: probabilityMax }) };
  const dtypes = [q, k, v].map((name) => lift.graph.value(name).dtype);
  const integer = dtypes.every((known) => known === 's8') && ranges !== undefined && dtype === 'u8';
  if (integer)
    return lift.add(operator, 'Attention', [q, k, v, mask, ...ranges, ...vRange, ...yRange], { ...form, output_dtype: 'u8' }, 'u8');
  const real = (name: string, range: readonly string[], suffix: string): string =>
    lift.graph.value(name).dtype === 'f32' ? name : lift.add(operator, 'Dequantize', [name, ...range], {}, 'f32', suffix);
  const inputs = [
    real(q, ranges?.slice(0, 2) ?? [], '/q'),
    real(k, ranges?.slice(2) ?? [], '/k'),
    real(v, vRange, '/v'),
    ...(mask ? [mask] : []),
  ];
  const quantised = dtype !== 'f32' && yRange.length === 2;
  const y = lift.add(operator, 'Attention', inputs, { ...form, output_dtype: 'f32' }, 'f32', quantised ? '/f32' : '');
  return quantised ? lift.add(operator, 'Quantize', [y, ...yRange], { dtype }, dtype) : y;
}

export function liftMultiHeadAttention(lift: Lift, operator: IrOperator, attributes: OriginalAttributes): View {
  const [q, k, v, mask] = operator.inputs.slice(0, 4).map((name) => lift.view(name, operator));
  if (
    q?.kind === 'tokens' &&
    k?.kind === 'tokens' &&
    v?.kind === 'tokens' &&
    mask?.kind === 'mask' &&
    q.dynamic &&
    k.dynamic &&
    v.dynamic &&
    q.heads
  )
    return liftDynamicAttention(lift, operator, attributes, [q.name, k.name, v.name, mask.mask], q.heads);
  const rest = operator.inputs.slice(4).map((name) => lift.constant(name, operator));
  if (q?.kind !== 'tokens' || k?.kind !== 'tokens' || v?.kind !== 'tokens' || mask?.kind !== 'mask' || rest.length !== 10 || !q.heads) {
    throw new EngineError(
      'E_UNSUPPORTED',
      'ir',
      `operator "${operator.name}" (MultiHeadAttention) has a form with ${operator.inputs.length} inputs that is not supported`,
      { where: operator.name },
    );
  }
  const scores = {
    kind: 'scores',
    q: q.name,
    k: k.name,
    heads: q.heads,
    scale: attributes.number('output_scale', 1),
    mask: mask.mask,
    ranges: rest.slice(0, 4) as unknown as Ranges,
    ...probabilityRange(lift, rest.slice(6, 8)),
  } as const;
  return {
    kind: 'tokens',
    name: attention(lift, operator, scores, v.name, rest.slice(4, 6), rest.slice(8, 10), outputDtype(attributes)),
  };
}
