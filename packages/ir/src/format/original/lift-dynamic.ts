import type { IrOperator } from '../config';
import { ACTIVATIONS, headsOf, type OriginalAttributes, outputDtype } from './attributes';
import type { Lift } from './lift';
import type { LinearInputs } from './linear-inputs';
import type { DynamicForm, View } from './view';

/**
 * Files whose activations are quantised at run time: a Quantize, InnerProduct or MultiHeadAttention gives codes, minimum and scale of each
 * token. What is quantised stays f32 here; DynamicQuantize stands in front of the products that read it.
 */
export const dynamicForm = (attributes: OriginalAttributes): DynamicForm =>
  attributes.text('output_dtype') === 'u8' ? 'asymmetric' : 'symmetric';

/** How the result of an operator is read: as codes where it gives their scales. */
const dynamicResult = (operator: IrOperator, attributes: OriginalAttributes): { dynamic?: DynamicForm } =>
  operator.outputs.length > 1 && outputDtype(attributes) !== 'f32' ? { dynamic: dynamicForm(attributes) } : {};

export function liftDynamicProduct(
  lift: Lift,
  operator: IrOperator,
  attributes: OriginalAttributes,
  { x, xTensor, weight, transposed, bias = '', post = '' }: LinearInputs,
  weightScale: string,
): View {
  const source = lift.view(xTensor, operator);
  const symmetric = source.kind === 'tokens' && source.dynamic === 'symmetric';
  const [codes, step, zero] = tokenCodes(lift, operator, x, symmetric);
  const range = weightRange(lift, weightScale);
  const activation = ACTIVATIONS[attributes.text('append_op') ?? ''] ?? 'none';
  const inputs = [codes, weight, bias, post, '', '', ...range, '', '', '', '', step, zero];
  const name = lift.add(operator, 'InnerProduct', inputs, { transposed, activation, output_dtype: 'f32' });
  const heads = headsOf(attributes.integers('reshape'));
  return { kind: 'tokens', name, ...(heads ? { heads } : {}), ...dynamicResult(operator, attributes) };
}

/** Attention on the values behind the codes: their rounding to 8 bits is left out, softmax and products are f32. */
export function liftDynamicAttention(
  lift: Lift,
  operator: IrOperator,
  attributes: OriginalAttributes,
  inputs: string[],
  heads: number,
): View {
  const name = lift.add(operator, 'Attention', inputs, { heads, scale: attributes.number('output_scale', 1), output_dtype: 'f32' });
  return { kind: 'tokens', name, ...dynamicResult(operator, attributes) };
}

/** The DynamicQuantize of a value; all its readers share one. */
function tokenCodes(lift: Lift, operator: IrOperator, x: string, symmetric: boolean): readonly string[] {
  const { graph } = lift;
  const found = graph.nodes.find(
    (node) => node.op === 'DynamicQuantize' && node.inputs[0] === x && node.attributes['symmetric'] === symmetric,
  );
  if (found) return found.outputs;
  const outputs = (['u8', 'step', 'zero'] as const).map(
    (hint) => graph.addValue({ name: graph.freeName(`${x}_${hint}`), dtype: hint === 'u8' ? 'u8' : 'f32', shape: undefined }).name,
  );
  graph.nodes.push({ name: `${operator.name}/quantize`, op: 'DynamicQuantize', inputs: [x], outputs, attributes: { symmetric } });
  return outputs;
}

/** Minimum and maximum of a weight from the scale of each channel: -127 and 127 steps. */
function weightRange({ graph }: Lift, scale: string): [string, string] {
  const { dims, data } = graph.constant(scale)!;
  const limit = (sign: number): string =>
    graph.addConstant(`${scale}_${sign < 0 ? 'min' : 'max'}`, {
      dtype: 'f32',
      dims,
      data: Float32Array.from(data as Float32Array, (step) => sign * 127 * step),
    });
  return [limit(-1), limit(1)];
}
