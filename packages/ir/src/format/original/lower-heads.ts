import type { Node } from '../../graph';
import type { FileAttribute } from './file-builder';
import { type Form, type Lowering, refuse } from './lowering';

/** "To the end", as slices spell it. */
const END = 2 ** 31 - 1;

/** The mask bits of an axis that is taken whole, as in `x[:, 0, :]`. */
const wholeAxes = (whole: readonly boolean[]): number => whole.reduce((mask, isWhole, axis) => mask | (isWhole ? 1 << axis : 0), 0);

/** A value in the dimensions it has in the graph; rows are given theirs back. */
function unfolded(lower: Lowering, node: Node, value: string): string {
  const form = lower.operand(node, value, ['rows', 'plain'], false);
  return form.kind === 'plain' ? form.tensor : unfoldRows(lower, value, form, `${node.name}/reshape`);
}

function unfoldRows(lower: Lowering, value: string, form: Form, name: string): string {
  const tensor = lower.file.tensor(`${value}/unfolded`);
  lower.file.add(name, 'Reshape', [form.tensor, lower.ids()], tensor, { dst_shape: `-1,-1,${lower.width(value)}`, dims: '0' });
  return tensor;
}

function stridedSlice(
  lower: Lowering,
  name: string,
  input: string,
  output: string,
  axes: readonly { begin: number; end: number; stride: number; whole: boolean }[],
): void {
  const mask = wholeAxes(axes.map(({ whole }) => whole));
  const list = (key: 'begin' | 'end' | 'stride'): string => axes.map((axis) => (axis.whole && key !== 'stride' ? 0 : axis[key])).join(',');
  const attributes: Record<string, FileAttribute> = {
    begin_mask: mask,
    ellipsis_mask: 0,
    end_mask: mask,
    new_axis_mask: 0,
    shrink_axis_mask: 0,
    begin: list('begin'),
    end: list('end'),
    strides: list('stride'),
  };
  lower.file.add(name, 'StridedSlice', [input], output, attributes);
}

const integers = (lower: Lowering, value: string | undefined, what: string): number[] =>
  Array.from(lower.constant(value, what).data as ArrayLike<number | bigint>, Number);

export function lowerSlice(lower: Lowering, node: Node): void {
  const [x, starts, ends, axesName, stepsName] = node.inputs as [string, string, string, string?, string?];
  const rank = lower.graph.value(x).shape?.length ?? refuse(`the rank of "${x}" is not known`);
  const from = integers(lower, starts, 'where it starts');
  const to = integers(lower, ends, 'where it ends');
  const axes = axesName ? integers(lower, axesName, 'its axes') : from.map((_, axis) => axis);
  const steps = stepsName ? integers(lower, stepsName, 'its steps') : from.map(() => 1);
  const slices = Array.from({ length: rank }, () => ({ begin: 0, end: 0, stride: 1, whole: true }));
  for (const [i, axis] of axes.entries()) {
    const [begin, end, stride] = [from[i]!, to[i]!, steps[i]!];
    if (begin < 0 || end < 0 || stride < 1) refuse('it counts from the end or backwards');
    slices[axis < 0 ? axis + rank : axis] = { begin, end: Math.min(end, END), stride, whole: begin === 0 && end >= END };
  }
  const input = unfolded(lower, node, x);
  const tensor = lower.file.tensor(node.outputs[0]!);
  stridedSlice(lower, node.name, input, tensor, slices);
  lower.setForm(node.outputs[0]!, { tensor, kind: 'plain', transposed: false });
}

/** One token of each sequence, as classification heads take it: a slice and a reshape. */
export function lowerGather(lower: Lowering, node: Node): void {
  const [x, index] = node.inputs as [string, string];
  const { dims, data } = lower.constant(index, 'its index');
  const token = Number(data[0]);
  const isToken = lower.graph.value(x).shape?.length === 3 && Number(node.attributes['axis'] ?? 0) === 1 && dims.length === 0 && token >= 0;
  if (!isToken) refuse('it takes something else than one token of each sequence');
  const input = unfolded(lower, node, x);
  const cut = lower.file.tensor(`${node.name}/slice`);
  const whole = { begin: 0, end: 0, stride: 1, whole: true };
  stridedSlice(lower, `${node.name}/slice`, input, cut, [whole, { begin: token, end: token + 1, stride: 1, whole: false }, whole]);
  reshapeTo(lower, node, cut, [-1, lower.width(x)]);
}

export function lowerReshape(lower: Lowering, node: Node): void {
  const dims = integers(lower, node.inputs[1], 'its shape');
  if (dims.includes(0)) refuse('it copies a dimension');
  const form = lower.operand(node, node.inputs[0]!, ['plain'], false);
  reshapeTo(lower, node, form.tensor, dims);
}

export function lowerSqueeze(lower: Lowering, node: Node): void {
  const shape = lower.graph.value(node.outputs[0]!).shape;
  const dims = shape?.map((dim) => (typeof dim === 'number' ? dim : -1)) ?? refuse('its shape is not known');
  if (dims.filter((dim) => dim < 0).length > 1) refuse('two of its dimensions are not known');
  const form = lower.operand(node, node.inputs[0]!, ['plain'], false);
  reshapeTo(lower, node, form.tensor, dims);
}

function reshapeTo(lower: Lowering, node: Node, input: string, dims: readonly number[]): void {
  const tensor = lower.file.tensor(node.outputs[0]!);
  lower.file.add(node.name, 'Reshape', [input], tensor, { dst_shape: dims.join(',') });
  lower.setForm(node.outputs[0]!, { tensor, kind: 'plain', transposed: false });
}

/** The name of what the caller gets; rows get their three dimensions back. */
export function lowerOutput(lower: Lowering, value: string): string {
  const form = lower.form(value);
  if (form?.kind === 'plain') return form.tensor;
  if (form?.kind === 'rows' && !form.transposed) return unfoldRows(lower, value, form, `${value}/reshape`);
  return refuse(form ? `it is ${form.transposed ? 'features-first' : form.kind}` : 'it is a constant');
}
