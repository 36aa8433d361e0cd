import type { Node } from '../../graph';
import type { FileAttribute } from './file-builder';
import { foldBias, PLAIN_BIAS } from './integer-bias';
import { type Form, headsShape, isTransposed, type Lowering, refuse, refuseRounding } from './lowering';

/** Share of zero 4x1 blocks below which the original has no kernel for a product with the weight first. */
const LEAST_ZEROS = 0.52;

/**
 * activation(x · W + bias + residual), plain or with the weight first.
 *
 * Inputs in the original's order: both factors, bias, residual, the ranges of both factors, the range of an 8-bit result, and the token
 * ids where the result is split into heads or given to the caller.
 */
export function lowerInnerProduct(lower: Lowering, node: Node): void {
  const { file, graph } = lower;
  refuseRounding(node);
  const transposed = isTransposed(node);
  const [xValue, weightValue, biasValue, residualValue] = node.inputs as [string, string, string?, string?];
  const y = node.outputs[0]!;
  const x = lower.operand(node, xValue, ['rows', 'plain']);
  if (x.kind === 'plain' && graph.value(xValue).shape?.length !== 2) refuse(`"${xValue}" is no matrix there`);
  const weight = lower.constant(weightValue, 'its weight');
  const stored = node.attributes['transposed'] === true;
  if (weight.dtype !== 'f32' && weight.dtype !== 's8') refuse(`its weight is ${weight.dtype}`);
  if (transposed) checkTransposable(lower, node);
  const append = appendOf(lower, node);
  const residual = residualValue ? [lower.operand(node, residualValue, [x.kind]).tensor] : [];
  const inputs = [x.tensor, storeWeight(lower, node)];
  if (transposed) inputs.reverse();
  if (weight.dtype === 's8') {
    const ranges = node.inputs.slice(4, 8);
    const own = node.inputs.slice(4, 6).map((range) => lower.constantName(range, 'the range of its input'));
    const channels = weight.dims[stored ? 0 : 1]!;
    const weights = node.inputs.slice(6, 8).map((range) => channelRange(lower, range, channels));
    const bias = foldBias(graph, biasValue ?? '', weightValue, stored, ranges);
    const name = biasValue && !biasValue.endsWith(PLAIN_BIAS) ? biasValue : `${weightValue}_bias`;
    inputs.push(file.constant(name, { dtype: 'f32', dims: [bias.length], data: bias }), ...residual);
    inputs.push(...(transposed ? [...weights, ...own] : [...own, ...weights]));
    if (graph.value(y).dtype !== 'f32')
      inputs.push(...node.inputs.slice(10, 12).map((range) => lower.constantName(range, 'the range of its result')));
  } else {
    if (biasValue) inputs.push(lower.constantName(biasValue, 'its bias'));
    inputs.push(...residual);
  }
  const attributes: Record<string, FileAttribute> = {
    ...(transposed ? {} : { src1_perm: stored ? '0,1' : '1,0' }),
    ...(append ? { append_op: append } : {}),
    ...(graph.value(y).dtype === 'f32' ? {} : { output_dtype: graph.value(y).dtype }),
  };
  const form = reshapeResult(lower, node, x, attributes);
  if (attributes['reshape_dims'] !== undefined) inputs.push(lower.ids());
  const tensor = file.tensor(y);
  file.add(node.name, 'InnerProduct', inputs, tensor, attributes);
  lower.setForm(y, { ...form, tensor });
}

/** Fuses the reshape that splits heads, or that gives an output its three dimensions. */
function reshapeResult(lower: Lowering, node: Node, x: Form, attributes: Record<string, FileAttribute>): Omit<Form, 'tensor'> {
  const y = node.outputs[0]!;
  const width = lower.width(y);
  const transposed = x.transposed;
  const heads = x.kind === 'rows' ? lower.headsOf(y) : undefined;
  if (heads) {
    Object.assign(attributes, { reshape: headsShape(heads, width / heads, transposed), reshape_dims: '0' });
    return { kind: 'heads', transposed };
  }
  if (x.kind === 'rows' && !transposed && lower.isOutput(y) && lower.readersOf(y).length === 0) {
    Object.assign(attributes, { reshape: `-1,-1,${width}`, reshape_dims: '0,1' });
    return { kind: 'plain', transposed };
  }
  return { kind: x.kind, transposed };
}

/** The append_op of a node, '' for none, where the original computes the same. */
function appendOf(lower: Lowering, node: Node): string {
  const dtype = lower.graph.value(node.outputs[0]!).dtype;
  const activation = (node.attributes['activation'] as string | undefined) ?? 'none';
  if (node.inputs[3]) {
    if (activation !== 'none') refuse(`it applies ${activation} after adding a residual`);
    if (dtype !== 'f32') refuse(`it adds a residual and gives ${dtype}`);
    return 'sum';
  }
  if (dtype === 's8' && activation !== 'none') refuse(`it applies ${activation} and gives s8`);
  if (dtype === 'u8' && activation === 'none' && Number(lower.constant(node.inputs[10], 'the range of its result').data[0]) !== 0)
    refuse('it gives u8 with a zero point and no activation');
  if (activation === 'none') return '';
  if (!isTransposed(node)) return activation;
  if (activation === 'gelu_erf' && lower.options.allowTanhGelu) return 'gelu_tanh';
  if (activation !== 'gelu_tanh') {
    const hint = activation === 'gelu_erf' ? '; allowTanhGelu writes the tanh form' : '';
    refuse(`the original's transposed products have no ${activation}${hint}`);
  }
  return activation;
}

function checkTransposable(lower: Lowering, node: Node): void {
  const { dtype, dims, data } = lower.constant(node.inputs[1], 'its weight');
  if (dtype !== 's8') refuse(`it is transposed and its weight is ${dtype}`);
  if (node.attributes['transposed'] !== true) refuse('it is transposed and its weight is not');
  const [channels, inputs] = dims as [number, number];
  if (channels % 4 !== 0) refuse(`${channels} output channels are no multiple of 4`);
  let zeros = 0;
  for (let n = 0; n < channels; n += 4)
    for (let k = 0; k < inputs; k++) if ([0, 1, 2, 3].every((i) => !data[(n + i) * inputs + k])) zeros++;
  const share = zeros / ((channels / 4) * inputs);
  if (!(share >= LEAST_ZEROS))
    refuse(`${(share * 100).toFixed(1)}% of its 4x1 blocks are zero; the original's transposed products want ${LEAST_ZEROS * 100}%`);
}

/** The weight under a name of its own: the original turns what it loads in place, so that two products cannot share one. */
function storeWeight(lower: Lowering, node: Node): string {
  const value = node.inputs[1]!;
  const [first] = lower.readersOf(value);
  return first === node ? lower.constantName(value, 'its weight') : lower.file.constant(value, lower.constant(value, 'its weight'));
}

/** A weight's min or max with one element a channel, as the original's kernels read it. */
function channelRange(lower: Lowering, value: string | undefined, channels: number): string {
  const { data } = lower.constant(value, 'the range of its weight');
  if (data.length === channels) return lower.constantName(value, 'the range of its weight');
  const spread = new Float32Array(channels).fill(Number(data[0]));
  return lower.file.constant(`${value}_channels`, { dtype: 'f32', dims: [channels], data: spread });
}
