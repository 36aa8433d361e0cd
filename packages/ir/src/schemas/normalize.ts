import { type Dim, elementCount, formatShape, type Shape, type Tensor } from '@neural-engine/core';
import type { InferContext, KnownValue, OpSchema } from '../schema';
import { broadcastOffsets, fromNumbers, numbersOf } from './cells';
import { onnx, slots } from './define';
import { around } from './movement';
import { reductionOffsets } from './reduce';
import { axesOf, axisOf, expectRank, input, known, likeFirst, sameDim } from './support';

const keepShape = (context: InferContext): KnownValue[] => {
  const { shape } = input(context, 0);
  if (shape) axisOf(context, context.attributes['axis'] as number, shape.length);
  return likeFirst(context);
};

/** Applies `f` in place to every line of elements along one axis. */
function alongAxis(x: Tensor, axis: number, f: (line: Float64Array) => void): Tensor {
  const values = Float64Array.from(numbersOf(x));
  const at = axis < 0 ? axis + x.dims.length : axis;
  const size = x.dims[at] ?? 1;
  const { outer, inner } = around(x.dims, at);
  const line = new Float64Array(size);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const start = o * size * inner + i;
      for (let k = 0; k < size; k++) line[k] = values[start + k * inner]!;
      f(line);
      for (let k = 0; k < size; k++) values[start + k * inner] = line[k]!;
    }
  }
  return fromNumbers(x.dtype, x.dims, values);
}

/** e^(x − max) / Σ, in place. */
export function softmaxLine(line: Float64Array): void {
  const top = line.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  let total = 0;
  for (let i = 0; i < line.length; i++) total += line[i] = Math.exp(line[i]! - top);
  for (let i = 0; i < line.length; i++) line[i]! /= total;
}

function logSoftmaxLine(line: Float64Array): void {
  const top = line.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const total = Math.log(line.reduce((sum, x) => sum + Math.exp(x - top), 0));
  for (let i = 0; i < line.length; i++) line[i] = line[i]! - top - total;
}

function hardmaxLine(line: Float64Array): void {
  let best = 0;
  for (let i = 1; i < line.length; i++) if (line[i]! > line[best]!) best = i;
  line.fill(0);
  if (line.length > 0) line[best] = 1;
}

const softmaxLike = (op: string, summary: string, f: (line: Float64Array) => void): OpSchema =>
  onnx(op, {
    summary,
    inputs: slots('input: T=float'),
    outputs: slots('output: T'),
    attributes: { axis: { type: 'int', default: -1 } },
    infer: keepShape,
    evaluate: ([x], attributes) => [alongAxis(x!, attributes['axis'] as number, f)],
  });

const lpNormalization = onnx('LpNormalization', {
  summary: 'Each line along an axis divided by its L1 or L2 norm.',
  inputs: slots('input: T=float'),
  outputs: slots('output: T'),
  attributes: { axis: { type: 'int', default: -1 }, p: { type: 'int', default: 2, oneOf: [1, 2] } },
  infer: keepShape,
  evaluate: ([x], attributes) => [
    alongAxis(x!, attributes['axis'] as number, (line) => {
      const norm = attributes['p'] === 1 ? line.reduce((a, b) => a + Math.abs(b), 0) : Math.sqrt(line.reduce((a, b) => a + b * b, 0));
      if (norm !== 0) for (let i = 0; i < line.length; i++) line[i]! /= norm;
    }),
  ],
});

/** Subtracts the mean of consecutive groups of `size` elements and divides by their deviation; returns the means and inverse deviations. */
export function standardize(values: Float64Array, size: number, epsilon: number, centre = true): { means: number[]; inverses: number[] } {
  const means: number[] = [];
  const inverses: number[] = [];
  for (let start = 0; start < values.length; start += size) {
    let mean = 0;
    if (centre) for (let i = 0; i < size; i++) mean += values[start + i]! / size;
    let variance = 0;
    for (let i = 0; i < size; i++) variance += (values[start + i]! - mean) ** 2 / size;
    const inverse = 1 / Math.sqrt(variance + epsilon);
    for (let i = 0; i < size; i++) values[start + i] = (values[start + i]! - mean) * inverse;
    means.push(mean);
    inverses.push(inverse);
  }
  return { means, inverses };
}

/** Multiplies by a scale and adds a bias, each broadcast to `dims`. */
function affine(values: Float64Array, dims: readonly number[], scale: Tensor | undefined, bias: Tensor | undefined): void {
  for (const [operand, add] of [
    [scale, false],
    [bias, true],
  ] as const) {
    if (!operand) continue;
    const by = numbersOf(operand);
    const at = broadcastOffsets(operand.dims, dims);
    for (let i = 0; i < values.length; i++) values[i] = add ? values[i]! + by[at ? at[i]! : i]! : values[i]! * by[at ? at[i]! : i]!;
  }
}

/** The trailing shape that scale and bias of a normalisation must broadcast to. */
function expectTrailing(context: InferContext, index: number, shape: Shape): void {
  const operand = context.inputs[index]?.shape;
  if (!operand) return;
  const fits =
    operand.length <= shape.length &&
    operand.every((dim, i) => {
      const own = shape[i + shape.length - operand.length];
      return dim === 1 || typeof dim !== 'number' || typeof own !== 'number' || dim === own;
    });
  if (!fits) context.fail('E_SHAPE', `input ${index} is ${formatShape(operand)}; it does not broadcast to ${formatShape(shape)}`);
}

const layerNormalization = onnx('LayerNormalization', {
  summary: 'Mean 0 and deviation 1 over the trailing axes, then scale and bias.',
  inputs: slots('X: T=float', 'Scale: T', 'B?: T'),
  outputs: slots('Y: T', 'Mean?: f32', 'InvStdDev?: f32'),
  attributes: { axis: { type: 'int', default: -1 }, epsilon: { type: 'float', default: 1e-5 }, stash_type: { type: 'int', default: 1 } },
  infer: (context) => {
    const { dtype, shape } = input(context, 0);
    if (!shape) return [known(dtype, undefined), known('f32', undefined), known('f32', undefined)].slice(0, context.outputCount);
    const axis = axisOf(context, context.attributes['axis'] as number, shape.length);
    expectTrailing(context, 1, shape);
    expectTrailing(context, 2, shape);
    const statistics = known(
      'f32',
      shape.map((dim, i): Dim => (i < axis ? dim : 1)),
    );
    return [known(dtype, shape), statistics, statistics].slice(0, context.outputCount);
  },
  evaluate: ([x, scale, bias], attributes, outputs) => {
    const axis = attributes['axis'] as number;
    const values = Float64Array.from(numbersOf(x!));
    const size = elementCount(x!.dims.slice(axis < 0 ? axis + x!.dims.length : axis));
    const { means, inverses } = standardize(values, size, attributes['epsilon'] as number);
    // An empty group has neither mean nor deviation, and no element that would give it a turn.
    const groups = outputs[1] ? elementCount(outputs[1].dims) : 0;
    for (let group = means.length; group < groups; group++) {
      means.push(Number.NaN);
      inverses.push(Number.NaN);
    }
    affine(values, x!.dims, scale, bias);
    return [values, means, inverses].slice(0, outputs.length).map((part, i) => fromNumbers(outputs[i]!.dtype, outputs[i]!.dims, part));
  },
});

const rmsNormalization = onnx('RMSNormalization', {
  summary: 'The trailing axes divided by their root mean square, then scaled.',
  inputs: slots('X: T=float', 'scale: float'),
  outputs: slots('Y: float'),
  attributes: { axis: { type: 'int', default: -1 }, epsilon: { type: 'float', default: 1e-5 }, stash_type: { type: 'int', default: 1 } },
  infer: (context) => {
    const { shape } = input(context, 0);
    if (shape) {
      axisOf(context, context.attributes['axis'] as number, shape.length);
      expectTrailing(context, 1, shape);
    }
    return [known(input(context, 1).dtype, shape)];
  },
  evaluate: ([x, scale], attributes, [out]) => {
    const axis = attributes['axis'] as number;
    const values = Float64Array.from(numbersOf(x!));
    standardize(values, elementCount(x!.dims.slice(axis < 0 ? axis + x!.dims.length : axis)), attributes['epsilon'] as number, false);
    affine(values, x!.dims, scale, undefined);
    return [fromNumbers(out!.dtype, x!.dims, values)];
  },
});

/** Rejects channel parameters whose length is not the channel count (axis 1). */
function expectChannels(context: InferContext, indices: readonly number[]): void {
  const { shape } = input(context, 0);
  if (!shape) return;
  if (shape.length < 2) context.fail('E_SHAPE', `input is ${formatShape(shape)}; batch and channel axes are needed`);
  for (const index of indices) {
    expectRank(context, context.inputs[index], 1, `input ${index}`);
    sameDim(context, shape[1]!, context.inputs[index]?.shape?.[0] ?? null, `channels and input ${index}`);
  }
}

/** A vector over the channels (axis 1), as it broadcasts to `dims`. */
const perChannel = (vector: Tensor, dims: readonly number[]): Tensor => ({
  ...vector,
  dims: [vector.dims[0]!, ...dims.slice(2).map(() => 1)],
});

const instanceNormalization = onnx('InstanceNormalization', {
  summary: 'Mean 0 and deviation 1 of each channel of each batch entry, then scale and bias.',
  inputs: slots('input: T=float', 'scale: T', 'B: T'),
  outputs: slots('output: T'),
  attributes: { epsilon: { type: 'float', default: 1e-5 } },
  infer: (context) => {
    expectChannels(context, [1, 2]);
    return likeFirst(context);
  },
  evaluate: ([x, scale, bias], attributes) => {
    const values = Float64Array.from(numbersOf(x!));
    standardize(values, elementCount(x!.dims.slice(2)), attributes['epsilon'] as number);
    affine(values, x!.dims, perChannel(scale!, x!.dims), perChannel(bias!, x!.dims));
    return [fromNumbers(x!.dtype, x!.dims, values)];
  },
});

const groupNormalization = onnx('GroupNormalization', {
  summary: 'Mean 0 and deviation 1 of each group of channels, then scale and bias per channel.',
  inputs: slots('X: T=float', 'scale: T', 'bias: T'),
  outputs: slots('Y: T'),
  attributes: {
    epsilon: { type: 'float', default: 1e-5 },
    num_groups: { type: 'int', required: true },
    stash_type: { type: 'int', default: 1 },
  },
  infer: (context) => {
    expectChannels(context, [1, 2]);
    const groups = context.attributes['num_groups'] as number;
    const channels = input(context, 0).shape?.[1];
    if (groups < 1 || (typeof channels === 'number' && channels % groups !== 0))
      context.fail('E_MODEL', `${channels ?? '?'} channels in ${groups} groups`);
    return likeFirst(context);
  },
  evaluate: ([x, scale, bias], attributes) => {
    const values = Float64Array.from(numbersOf(x!));
    standardize(values, elementCount(x!.dims.slice(1)) / (attributes['num_groups'] as number), attributes['epsilon'] as number);
    affine(values, x!.dims, perChannel(scale!, x!.dims), perChannel(bias!, x!.dims));
    return [fromNumbers(x!.dtype, x!.dims, values)];
  },
});

const batchNormalization = onnx('BatchNormalization', {
  summary: 'Each channel by its stored mean and variance, then scale and bias (inference form).',
  inputs: slots('X: float', 'scale: float', 'B: float', 'input_mean: float', 'input_var: float'),
  outputs: slots('Y: float', 'running_mean?: float', 'running_var?: float'),
  attributes: {
    epsilon: { type: 'float', default: 1e-5 },
    momentum: { type: 'float', default: 0.9 },
    training_mode: { type: 'int', default: 0 },
  },
  infer: (context) => {
    if (context.attributes['training_mode'] !== 0 || context.outputCount > 1) context.fail('E_UNSUPPORTED', 'training mode');
    expectChannels(context, [1, 2, 3, 4]);
    return likeFirst(context);
  },
  evaluate: ([x, scale, bias, mean, variance], attributes) => {
    const values = Float64Array.from(numbersOf(x!));
    const inner = elementCount(x!.dims.slice(2));
    const channels = x!.dims[1]!;
    const [m, v, s, b] = [mean, variance, scale, bias].map((part) => numbersOf(part!)) as [
      ArrayLike<number>,
      ArrayLike<number>,
      ArrayLike<number>,
      ArrayLike<number>,
    ];
    for (let i = 0; i < values.length; i++) {
      const c = Math.floor(i / inner) % channels;
      values[i] = ((values[i]! - m[c]!) / Math.sqrt(v[c]! + (attributes['epsilon'] as number))) * s[c]! + b[c]!;
    }
    return [fromNumbers(x!.dtype, x!.dims, values)];
  },
});

const meanVarianceNormalization = onnx('MeanVarianceNormalization', {
  summary: 'Mean 0 and deviation 1 over the named axes.',
  inputs: slots('X: T=float'),
  outputs: slots('Y: T'),
  attributes: { axes: { type: 'ints', default: [0, 2, 3] } },
  infer: (context) => {
    const { shape } = input(context, 0);
    if (shape) axesOf(context, context.attributes['axes'] as readonly number[], shape.length);
    return likeFirst(context);
  },
  evaluate: ([x], attributes) => {
    const values = Float64Array.from(numbersOf(x!));
    const axes = (attributes['axes'] as readonly number[]).map((axis) => (axis + x!.dims.length) % x!.dims.length);
    const { starts, steps } = reductionOffsets(x!.dims, axes);
    for (const start of starts) {
      const group = Float64Array.from(steps, (step) => values[start + step]!);
      const mean = group.reduce((a, b) => a + b, 0) / group.length;
      const deviation = Math.sqrt(group.reduce((a, b) => a + (b - mean) ** 2, 0) / group.length);
      for (const [k, step] of steps.entries()) values[start + step] = (group[k]! - mean) / (deviation + 1e-9);
    }
    return [fromNumbers(x!.dtype, x!.dims, values)];
  },
});

/** Softmax and its kin. */
export const SOFTMAX_SCHEMAS: readonly OpSchema[] = [
  softmaxLike('Softmax', 'e^x / Σ e^x along an axis.', softmaxLine),
  softmaxLike('LogSoftmax', 'The logarithm of Softmax.', logSoftmaxLine),
  softmaxLike('Hardmax', '1 at the first greatest element along an axis, else 0.', hardmaxLine),
  lpNormalization,
];

/** Normalisation by mean and variance. */
export const NORMALIZE_SCHEMAS: readonly OpSchema[] = [
  layerNormalization,
  rmsNormalization,
  instanceNormalization,
  groupNormalization,
  batchNormalization,
  meanVarianceNormalization,
];
