import type { ConcreteValue } from '../../plan/concrete';
import type { GenericBuilder } from './builder';
import { contiguous, product, type View } from './views';

/** A tensor with one label per axis; no label stands twice. */
interface Labelled {
  readonly value: ConcreteValue;
  readonly labels: readonly string[];
}

/** The labels that `...` stands for, counted from the last so that operands of different ranks share the trailing ones. */
const hidden = (count: number): string[] => Array.from({ length: count }, (_, i) => `...${count - i}`);

function labelsOf(term: string, rank: number): string[] {
  const own = [...term.replace('...', '')];
  const at = term.indexOf('...');
  return at < 0 ? own : [...own.slice(0, at), ...hidden(rank - own.length), ...own.slice(at)];
}

/** Labels of the result when the equation leaves them out: the hidden ones, then those that stand once, in order of the alphabet. */
function implied(terms: readonly (readonly string[])[]): string[] {
  const all = terms.flat();
  const ellipsis = terms.map((term) => term.filter((label) => label.length > 1)).reduce((a, b) => (b.length > a.length ? b : a), []);
  return [...ellipsis, ...all.filter((label) => label.length === 1 && all.indexOf(label) === all.lastIndexOf(label)).sort()];
}

const sizeOf = ({ value, labels }: Labelled, label: string): number => value.dims[labels.indexOf(label)] ?? 1;

/**
 * Einstein sums as matrix products: operands are contracted two at a time, each brought into the order [batch, own, summed].
 *
 * The equation has passed shape inference, so it fits its operands.
 */
export function lowerEinsum(b: GenericBuilder): void {
  const text = b.text('equation').replaceAll(' ', '');
  const [left, right] = text.split('->') as [string, string | undefined];
  const operands = left.split(',').map((term, i) => labelsOf(term, b.x(i).dims.length));
  const widest = Math.max(0, ...operands.map((labels) => labels.filter((label) => label.length > 1).length));
  const output = right === undefined ? implied(operands) : labelsOf(right, right.replace('...', '').length + widest);

  let total = diagonal(b, b.x(0), operands[0]!);
  for (let i = 1; i < operands.length; i++) {
    const rest = new Set([...output, ...operands.slice(i + 1).flat()]);
    total = contract(b, total, diagonal(b, b.x(i), operands[i]!), rest);
  }
  const summed = total.labels.filter((label) => !output.includes(label));
  if (summed.length > 0) total = sum(b, total, new Set(output));
  b.view(total.value, inOrder(total, output));
}

/** Labels that stand twice walk the diagonal: their strides add up. Axes of 1 are dropped, for they broadcast. */
function diagonal(b: GenericBuilder, value: ConcreteValue, all: readonly string[]): Labelled {
  const { dims, strides } = contiguous(value.dims);
  const labels = [...new Set(all)].filter((label) => all.some((own, d) => own === label && dims[d] !== 1));
  if (labels.length === all.length) return { value, labels };
  const view: View = {
    dims: labels.map((label) => Math.max(...all.map((own, d) => (own === label ? dims[d]! : 0)))),
    strides: labels.map((label) => all.reduce((stride, own, d) => stride + (own === label && dims[d] !== 1 ? strides[d]! : 0), 0)),
    offset: 0,
  };
  const y = b.temporary(value.dtype, view.dims);
  b.copy(value, view, y);
  return { value: y, labels };
}

/** The operand's axes as `labels` order them; labels it lacks broadcast from 1. */
function inOrder({ value, labels }: Labelled, order: readonly string[]): View {
  const { dims, strides } = contiguous(value.dims);
  const at = order.map((label) => labels.indexOf(label));
  return { dims: at.map((i) => (i < 0 ? 1 : dims[i]!)), strides: at.map((i) => (i < 0 ? 0 : strides[i]!)), offset: 0 };
}

/** Sums over the labels that nothing needs any more. */
function sum(b: GenericBuilder, operand: Labelled, needed: ReadonlySet<string>): Labelled {
  const labels = operand.labels.filter((label) => needed.has(label));
  if (labels.length === operand.labels.length) return operand;
  const axes = operand.labels.flatMap((label, i) => (needed.has(label) ? [] : [i]));
  const y = b.temporary(
    operand.value.dtype,
    labels.map((label) => sizeOf(operand, label)),
  );
  b.step('reduce', [operand.value], [y], { function: 'sum', axes });
  return { value: y, labels };
}

function contract(b: GenericBuilder, first: Labelled, second: Labelled, needed: ReadonlySet<string>): Labelled {
  const left = sum(b, first, new Set([...needed, ...second.labels]));
  const right = sum(b, second, new Set([...needed, ...first.labels]));
  const shared = left.labels.filter((label) => right.labels.includes(label));
  const batch = shared.filter((label) => needed.has(label));
  const inner = shared.filter((label) => !needed.has(label));
  const rows = left.labels.filter((label) => !shared.includes(label));
  const columns = right.labels.filter((label) => !shared.includes(label));
  const sizes = (of: Labelled, labels: readonly string[]): number => product(labels.map((label) => sizeOf(of, label)));
  const arrange = (operand: Labelled, order: readonly string[]): ConcreteValue => {
    const view = inOrder(operand, order);
    const y = b.temporary(operand.value.dtype, view.dims);
    b.copy(operand.value, view, y);
    return y;
  };
  const labels = [...batch, ...rows, ...columns];
  const y = b.temporary(
    left.value.dtype,
    labels.map((label) => Math.max(sizeOf(left, label), sizeOf(right, label))),
  );
  const [groups, k] = [sizes(left, batch), sizes(left, inner)];
  b.step('matmul', [arrange(left, [...batch, ...rows, ...inner]), arrange(right, [...batch, ...inner, ...columns])], [y], {
    a: [groups, sizes(left, rows), k],
    b: [groups, k, sizes(right, columns)],
  });
  return { value: y, labels };
}
