import type { Tensor } from '@neural-engine/core';
import type { Node } from '../../graph';
import type { PlannedOperand } from './attention-plans';
import { type Form, headsShape, isTransposed, type Lowering, refuse } from './lowering';

/** How operands lie (batch, sequence, heads, size; features-first: heads, size, batch, sequence) and how the products read them. */
const PERMUTATIONS = {
  plain: { q: '0,2,1,3', k: '0,2,3,1', v: '0,2,1,3', y: '0,2,1,3' },
  transposed: { q: '2,0,3,1', k: '2,0,1,3', v: '2,0,3,1', y: '1,3,0,2' },
} as const;

/** softmax(q · kᵀ · scale + mask) · v as two products around a softmax, in f32 or with 8-bit operands and probabilities over [0, 1]. */
export function lowerAttention(lower: Lowering, node: Node): void {
  const { file } = lower;
  if ([node.attributes['score_range'], node.attributes['probability_range']].some((range) => Array.isArray(range) && range.length > 0))
    refuse('its scores or probabilities are rounded by ranges of their own');
  const transposed = isTransposed(node);
  const perms = PERMUTATIONS[transposed ? 'transposed' : 'plain'];
  const { q, k, v, y, name } = lower.plans.of(node);
  const heads = node.attributes['heads'] as number;
  const width = lower.width(v.value);
  const mask = node.inputs[3] ? [maskOf(lower, node, heads)] : [];
  const range = (operand: PlannedOperand): string[] =>
    (operand.range ?? []).map((limit) => lower.constantName(limit, 'the range of an operand'));

  const scores = file.tensor(`${node.name}/scores`);
  file.add(
    `${node.name}/scores`,
    'Matmul',
    [splitHeads(lower, node, q.value, heads), splitHeads(lower, node, k.value, heads), ...mask, ...range(q), ...range(k)],
    scores,
    {
      src0_perm: perms.q,
      src1_perm: perms.k,
      output_scale: node.attributes['scale'] as number,
      format_any: false,
      ...(mask.length > 0 ? { append_op: 'binary_add' } : {}),
    },
  );
  const integer = v.range !== undefined;
  if (y.range && !integer) refuse('its operands are f32 and its result is u8');
  const coded = integer ? probabilityRange(lower, node) : [];
  const probabilities = file.tensor(`${node.name}/softmax`);
  file.add(`${node.name}/softmax`, 'Softmax', [scores, ...coded], probabilities, integer ? { output_dtype: 'u8' } : {});
  const tensor = file.tensor(y.value);
  file.add(name, 'Matmul', [probabilities, splitHeads(lower, node, v.value, heads), ...coded, ...range(v), ...range(y)], tensor, {
    src1_perm: perms.v,
    dst_perm: perms.y,
    ...(y.range ? { output_dtype: 'u8' } : {}),
    reshape: transposed ? `${width},-1` : `-1,${width}`,
  });
  lower.setForm(y.value, { tensor, kind: 'rows', transposed });
}

/** An operand with its heads apart: its product has done that, unless others read it whole. */
function splitHeads(lower: Lowering, node: Node, value: string, heads: number): string {
  const form: Form = lower.operand(node, value, ['heads', 'rows']);
  if (form.kind === 'heads') return form.tensor;
  const tensor = lower.file.tensor(`${value}/heads`);
  lower.file.add(`${node.name}/${value}/heads`, 'Reshape', [form.tensor, lower.ids()], tensor, {
    dst_shape: headsShape(heads, lower.width(value) / heads, form.transposed),
    dims: '0',
  });
  return tensor;
}

function maskOf(lower: Lowering, node: Node, heads: number): string {
  const form = lower.form(node.inputs[3]!);
  if (form?.kind !== 'mask') return refuse(`its mask "${node.inputs[3]}" is no mask of padding`);
  return form.heads === heads ? form.tensor : refuse(`its mask is for ${form.heads} heads, it has ${heads}`);
}

/** Most attentions of a model share [0, 1]. */
function probabilityRange(lower: Lowering, node: Node): string[] {
  const max = (node.attributes['probability_max'] as number | undefined) ?? 1;
  const scalar = (value: number): Tensor => ({ dtype: 'f32', dims: [1], data: Float32Array.of(value) });
  if (max === 1) return [lower.sharedConstant('softmax_min', scalar(0)), lower.sharedConstant('softmax_max', scalar(1))];
  return [lower.file.constant(`${node.name}/softmax_min`, scalar(0)), lower.file.constant(`${node.name}/softmax_max`, scalar(max))];
}
