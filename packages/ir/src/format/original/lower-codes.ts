import type { Node } from '../../graph';
import { isTransposed, type Lowering, refuse, refuseRounding } from './lowering';

const ANY = ['rows', 'heads', 'plain'] as const;

export function lowerQuantize(lower: Lowering, node: Node): void {
  const [x, ...range] = node.inputs as [string, string, string];
  const form = lower.operand(node, x, ANY);
  const tensor = lower.file.tensor(node.outputs[0]!);
  const inputs = [form.tensor, ...range.map((limit) => lower.constantName(limit, 'its range'))];
  lower.file.add(node.name, 'Quantize', inputs, tensor, { output_dtype: (node.attributes['dtype'] as string | undefined) ?? 'u8' });
  lower.setForm(node.outputs[0]!, { ...form, tensor });
}

export function lowerLayerNorm(lower: Lowering, node: Node): void {
  refuseRounding(node);
  const [x, scale, bias] = node.inputs as [string, string, string];
  const form = lower.operand(node, x, ['rows', 'plain']);
  const tensor = lower.file.tensor(node.outputs[0]!);
  const inputs = [form.tensor, lower.constantName(scale, 'its scale'), lower.constantName(bias, 'its bias')];
  lower.file.add(node.name, 'LayerNorm', inputs, tensor, {
    epsilon: (node.attributes['epsilon'] as number | undefined) ?? 1e-5,
    ...(isTransposed(node) ? { transpose_mode: '1, 0' } : {}),
  });
  lower.setForm(node.outputs[0]!, { ...form, tensor });
}

/** Tokens-first to features-first and back, of rows or of heads. */
export function lowerReorder(lower: Lowering, node: Node): void {
  const [x] = node.inputs as [string];
  const form = lower.form(x);
  if (form?.kind !== 'rows' && form?.kind !== 'heads') refuse(`it reads "${x}", which holds no tokens`);
  const tensor = lower.file.tensor(node.outputs[0]!);
  const { dtype } = lower.graph.value(x);
  lower.file.add(node.name, 'Reorder', [form.tensor], tensor, {
    ...(form.kind === 'rows' ? { src_perm: '0,1', dst_perm: '1,0' } : { src_perm: '0,1,2,3', dst_perm: '2,3,0,1' }),
    ...(dtype === 'f32' ? {} : { output_dtype: dtype }),
  });
  lower.setForm(node.outputs[0]!, { ...form, tensor, transposed: !form.transposed });
}
