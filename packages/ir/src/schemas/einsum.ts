import type { Dim, Shape, Tensor } from '@neural-engine/core';
import { dimProduct, unifyDims } from '../dims';
import type { InferContext, OpSchema } from '../schema';
import { fromNumbers, numbersOf, stridedOffsets, stridesOf } from './cells';
import { onnx, slots } from './define';
import { input, known, reject } from './support';

interface Equation {
  readonly inputs: readonly (readonly string[])[];
  readonly output: readonly string[];
}

/**
 * The axes of each operand as labels. `...` becomes labels of its own, counted from the last, so that operands of different ranks share
 * the trailing ones. Undefined for a text that is no equation.
 */
function parseEquation(text: string, ranks: readonly number[]): Equation | undefined {
  const compact = text.replaceAll(' ', '');
  const parts = /^((?:[A-Za-z]|\.\.\.|,)*)(->([A-Za-z]|\.\.\.)*)?$/.exec(compact);
  if (!parts) return undefined;
  const terms = parts[1]!.split(',');
  if (terms.length !== ranks.length) return undefined;
  let widest = 0;
  const inputs: string[][] = [];
  for (const [i, term] of terms.entries()) {
    const own = [...term.replace('...', '')];
    const hidden = ranks[i]! - own.length;
    if (hidden < 0 || own.includes('.') || (!term.includes('...') && hidden !== 0)) return undefined;
    widest = Math.max(widest, hidden);
    inputs.push(expandTerm(term, hidden));
  }
  const result = parts[2]?.slice(2);
  if (result !== undefined) return { inputs, output: expandTerm(result, widest) };
  const counts = new Map<string, number>();
  for (const label of inputs.flat()) counts.set(label, (counts.get(label) ?? 0) + 1);
  const once = [...counts.keys()].filter((label) => label.length === 1 && counts.get(label) === 1).sort();
  return { inputs, output: [...hiddenLabels(widest), ...once] };
}

const hiddenLabels = (count: number): string[] => Array.from({ length: count }, (_, i) => `...${count - i}`);

const expandTerm = (term: string, hidden: number): string[] => {
  const at = term.indexOf('...');
  return at < 0 ? [...term] : [...term.slice(0, at), ...hiddenLabels(hidden), ...term.slice(at + 3)];
};

/** The dim of each label; dims of 1 broadcast. */
function labelDims(context: InferContext, equation: Equation, shapes: readonly Shape[]): Map<string, Dim> {
  const dims = new Map<string, Dim>();
  for (const [i, labels] of equation.inputs.entries()) {
    for (const [d, label] of labels.entries()) {
      const dim = shapes[i]![d]!;
      const bound = dims.get(label);
      const next = bound === undefined || bound === 1 ? dim : dim === 1 ? bound : unifyDims(bound, dim);
      if (next === undefined) context.fail('E_SHAPE', `label ${label} is ${bound} and ${dim}`);
      dims.set(label, next!);
    }
  }
  return dims;
}

const einsum = onnx('Einsum', {
  summary: 'A sum of products over labelled axes.',
  inputs: slots('Inputs...: T=number'),
  outputs: slots('Output: T'),
  attributes: { equation: { type: 'string', required: true } },
  macs: (attributes, shapes) => {
    const known = shapes.filter((shape) => shape !== undefined);
    const equation =
      known.length === shapes.length &&
      parseEquation(
        attributes['equation'] as string,
        known.map((shape) => shape.length),
      );
    if (!equation) return null;
    const dims = new Map<string, Dim>();
    // A dim of 1 broadcasts, so it yields to any other that shares its label.
    for (const [i, labels] of equation.inputs.entries()) {
      for (const [d, label] of labels.entries()) if ((dims.get(label) ?? 1) === 1) dims.set(label, known[i]![d]!);
    }
    return dimProduct([...dims.values()]);
  },
  infer: (context) => {
    const { dtype } = input(context, 0);
    const shapes = context.inputs.map((value) => value?.shape);
    if (!shapes.every((shape) => shape !== undefined)) return [known(dtype, undefined)];
    const text = context.attributes['equation'] as string;
    const equation =
      parseEquation(
        text,
        shapes.map((shape) => shape.length),
      ) ?? context.fail('E_MODEL', `"${text}" does not describe its ${shapes.length} operands`);
    const dims = labelDims(context, equation, shapes);
    if (new Set(equation.output).size !== equation.output.length) context.fail('E_MODEL', `"${text}" repeats a label in its result`);
    return [
      known(
        dtype,
        equation.output.map((label) => dims.get(label) ?? context.fail('E_MODEL', `the result label ${label} is in no operand`)),
      ),
    ];
  },
  evaluate: (inputs, attributes, [out]) => {
    const operands = inputs as readonly Tensor[];
    const equation =
      parseEquation(
        attributes['equation'] as string,
        operands.map((x) => x.dims.length),
      ) ?? reject('E_MODEL', 'bad equation');
    return [fromNumbers(out!.dtype, out!.dims, contract(operands, equation, out!.dims))];
  },
});

/** The sum over all labels that are not in the output, for every element of the output. */
function contract(operands: readonly Tensor[], { inputs, output }: Equation, outDims: readonly number[]): Float64Array {
  const dims = new Map<string, number>();
  for (const [i, labels] of inputs.entries())
    for (const [d, label] of labels.entries()) dims.set(label, Math.max(dims.get(label) ?? 1, operands[i]!.dims[d]!));
  for (const [i, labels] of inputs.entries()) for (const [d, label] of labels.entries()) if (operands[i]!.dims[d] === 0) dims.set(label, 0);
  const summed = [...dims.keys()].filter((label) => !output.includes(label));
  const values = operands.map(numbersOf);
  const offsets = operands.map((operand, i) => {
    const strides = stridesOf(operand.dims);
    // A label that stands twice walks the diagonal: its strides add up.
    const strideOf = (label: string): number =>
      inputs[i]!.reduce((sum, own, d) => sum + (own === label && operand.dims[d] !== 1 ? strides[d]! : 0), 0);
    return {
      start: stridedOffsets(outDims, output.map(strideOf)),
      step: stridedOffsets(
        summed.map((label) => dims.get(label)!),
        summed.map(strideOf),
      ),
    };
  });
  const { step } = offsets[0]!;
  return Float64Array.from(offsets[0]!.start, (_, i) => {
    let sum = 0;
    for (let k = 0; k < step.length; k++) {
      let product = 1;
      for (let o = 0; o < operands.length; o++) product *= values[o]![offsets[o]!.start[i]! + offsets[o]!.step[k]!]!;
      sum += product;
    }
    return sum;
  });
}

/** Einstein sums. */
export const EINSUM_SCHEMAS: readonly OpSchema[] = [einsum];
