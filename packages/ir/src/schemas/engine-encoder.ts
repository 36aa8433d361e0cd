import { type DType, formatShape, type Shape, type Tensor } from '@neural-engine/core';
import { addDims, broadcastShapes, divideDims, multiplyDims, unifyDims } from '../dims';
import type { InferContext, OpSchema } from '../schema';
import { broadcastTo, numbersOf } from './cells';
import { engine, slots } from './define';
import { LAYOUT, outputDtype, ROUNDING, roundResult } from './engine-linear';
import { indexWithin } from './gather';
import { softmaxLine, standardize } from './normalize';
import { dequantizeByRange, f32, quantizeByRange } from './ranges';
import { expectRank, input, known, likeFirst, sameDim } from './support';

/** word[ids] + position[0..S] + type_table[types]; row 0 of a table whose types are absent. */
const embeddings = engine('Embeddings', {
  summary: 'Word, position and token-type embeddings, added.',
  inputs: slots('ids: index', 'word: f32', 'position?: f32', 'types?: index', 'type_table?: f32'),
  outputs: slots('embedded: f32'),
  infer: (context) => {
    const { shape } = input(context, 0);
    expectRank(context, context.inputs[0], 2, 'ids');
    let width = null as Shape[number];
    for (const [index, what] of [
      [1, 'word'],
      [2, 'position'],
      [4, 'type_table'],
    ] as const) {
      expectRank(context, context.inputs[index], 2, what);
      width = sameDim(context, width, context.inputs[index]?.shape?.[1] ?? null, `widths of word and ${what}`);
    }
    const types = context.inputs[3]?.shape;
    if (context.inputs[3] && !context.inputs[4]) context.fail('E_MODEL', 'types are given without a type_table');
    if (shape && types && (types.length !== 2 || shape.some((dim, i) => unifyDims(dim, types[i]!) === undefined))) {
      context.fail('E_SHAPE', `types are ${formatShape(types)}; ${formatShape(shape)} is needed`);
    }
    const length = shape?.[1];
    const positions = context.inputs[2]?.shape?.[0];
    if (typeof length === 'number' && typeof positions === 'number' && length > positions) {
      context.fail('E_SHAPE', `a sequence of ${length} tokens is longer than the ${positions} positions of the model`);
    }
    return [known('f32', [shape?.[0] ?? null, shape?.[1] ?? null, width])];
  },
  evaluate: ([ids, word, position, types, table], _, [out]) => {
    const [, sequence, width] = out!.dims as [number, number, number];
    const sums = new Float64Array(ids!.data.length * width);
    const add = (source: Tensor, row: number, token: number): void => {
      const values = source.data as Float32Array;
      for (let i = 0; i < width; i++) sums[token * width + i]! += values[row * width + i]!;
    };
    for (let token = 0; token < ids!.data.length; token++) {
      add(word!, indexWithin(ids!.data[token]!, word!.dims[0]!), token);
      if (position) add(position, token % sequence, token);
      if (table) add(table, types ? indexWithin(types.data[token]!, table.dims[0]!) : 0, token);
    }
    return [f32(out!.dims, sums)];
  },
});

/** 0 where the mask is not 0, `value` elsewhere, in the shape that broadcasts over heads and queries. */
const paddingMask = engine('PaddingMask', {
  summary: 'The additive mask of padded keys.',
  inputs: slots('mask: index|f32|bool'),
  outputs: slots('additive: f32'),
  attributes: { value: { type: 'float', required: true } },
  infer: (context) => {
    const { shape } = input(context, 0);
    expectRank(context, context.inputs[0], 2, 'mask');
    return [known('f32', [shape?.[0] ?? null, 1, 1, shape?.[1] ?? null])];
  },
  evaluate: ([mask], attributes, [out]) => [
    f32(
      out!.dims,
      Array.from(mask!.data as ArrayLike<number | bigint>, (kept) => (Number(kept) !== 0 ? 0 : (attributes['value'] as number))),
    ),
  ],
});

/** softmax(q · kᵀ · scale + mask) · v per head; heads are merged back into the last axis. */
const attention = engine('Attention', {
  summary: 'Scaled dot-product attention over heads, in f32 or 8 bits.',
  inputs: slots(
    'q: T=f32|s8',
    'k: T',
    'v: T',
    'mask?: f32',
    'q_min?: f32',
    'q_max?: f32',
    'k_min?: f32',
    'k_max?: f32',
    'v_min?: f32',
    'v_max?: f32',
    'y_min?: f32',
    'y_max?: f32',
  ),
  outputs: slots('y: f32|u8'),
  macs: (_, [q, k, v]) => {
    if (!q || !k || !v) return null;
    const pairs = multiplyDims(multiplyDims(q[0]!, q[1]!), k[1]!);
    return multiplyDims(pairs, addDims(q[2]!, v[2]!));
  },
  attributes: {
    heads: { type: 'int', required: true },
    scale: { type: 'float', required: true },
    output_dtype: { type: 'string', default: 'f32', oneOf: ['f32', 'u8'] },
    // What calibration saw; the original codes its probabilities by it. The engine's own arithmetic needs no such range.
    probability_max: { type: 'float', default: 1 },
    // [min, max] of the u8 codes by which scaled products and probabilities are rounded, of f32 operands only.
    score_range: { type: 'floats', default: [] },
    probability_range: { type: 'floats', default: [] },
    layout: LAYOUT,
  },
  infer: (context) => {
    const [q, k, v, mask] = context.inputs;
    const dtype = outputDtype(context, 10, 11);
    if (q?.dtype === 's8' && [4, 5, 6, 7, 8, 9].some((index) => !context.inputs[index]))
      context.fail('E_QUANT', 's8 operands need their ranges');
    for (const name of ['score_range', 'probability_range']) {
      const range = context.attributes[name] as readonly number[];
      if (range.length !== 0 && (q?.dtype !== 'f32' || range.length !== 2 || !(range[0]! <= 0 && range[1]! >= 0 && range[0]! < range[1]!)))
        context.fail('E_QUANT', `${name} is [${range}]; f32 operands take none, or two numbers with 0 between`);
    }
    for (const [value, name] of [
      [q, 'q'],
      [k, 'k'],
      [v, 'v'],
    ] as const)
      expectRank(context, value, 3, name);
    const at = (value: typeof q, axis: number): Shape[number] => value?.shape?.[axis] ?? null;
    const batch = sameDim(context, sameDim(context, at(q, 0), at(k, 0), 'batch of q and k'), at(v, 0), 'batch of q and v');
    const keys = sameDim(context, at(k, 1), at(v, 1), 'lengths of k and v');
    const width = sameDim(context, at(q, 2), at(k, 2), 'widths of q and k');
    const heads = context.attributes['heads'] as number;
    for (const dim of [width, at(v, 2)]) {
      if (heads < 1 || (typeof dim === 'number' && divideDims(dim, heads) === null))
        context.fail('E_MODEL', `a width of ${dim} in ${heads} heads`);
    }
    checkMask(context, mask?.shape, [batch, heads, at(q, 1), keys]);
    return [known(dtype, [batch, at(q, 1), at(v, 2)])];
  },
  evaluate: ([q, k, v, mask, qMin, qMax, kMin, kMax, vMin, vMax, yMin, yMax], attributes, [out]) => {
    const real = (x: Tensor, min: Tensor | undefined, max: Tensor | undefined): ArrayLike<number> =>
      x.dtype === 's8' ? dequantizeByRange(x, min!, max!) : numbersOf(x);
    const y = f32(
      out!.dims,
      attend(
        { q: real(q!, qMin, qMax), k: real(k!, kMin, kMax), v: real(v!, vMin, vMax) },
        { batch: q!.dims[0]!, queries: q!.dims[1]!, keys: k!.dims[1]!, width: q!.dims[2]!, valueWidth: v!.dims[2]! },
        attributes['heads'] as number,
        attributes['scale'] as number,
        mask,
        [attributes['score_range'], attributes['probability_range']].map((range) => rounderOf(range as readonly number[])),
      ),
    );
    return [out!.dtype === 'f32' ? y : quantizeByRange(y, yMin!, yMax!, out!.dtype)];
  },
});

function checkMask(context: InferContext, mask: Shape | undefined, scores: Shape): void {
  if (!mask) return;
  const together = broadcastShapes(mask, scores);
  const grows = together?.some((dim, i) => typeof dim === 'number' && dim !== scores[i] && typeof scores[i] === 'number');
  if (together?.length !== 4 || grows) context.fail('E_SHAPE', `mask ${formatShape(mask)} does not broadcast to ${formatShape(scores)}`);
}

interface AttentionSizes {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly width: number;
  readonly valueWidth: number;
}

/** What a value is once it was coded as u8 by a range; itself without one. */
function rounderOf([min, max]: readonly number[]): (x: number) => number {
  if (min === undefined || max === undefined) return (x) => x;
  const limits = [min, max].map((end) => f32([1], [end])) as [Tensor, Tensor];
  return (x) => dequantizeByRange(quantizeByRange(f32([1], [x]), ...limits, 'u8'), ...limits)[0]!;
}

/** The attention of every batch entry, head and query in turn. */
function attend(
  { q, k, v }: Readonly<Record<'q' | 'k' | 'v', ArrayLike<number>>>,
  { batch, queries, keys, width, valueWidth }: AttentionSizes,
  heads: number,
  scale: number,
  mask: Tensor | undefined,
  [roundScore, roundProbability]: readonly ((x: number) => number)[],
): Float64Array {
  const size = width / heads;
  const valueSize = valueWidth / heads;
  const additive = mask && numbersOf(broadcastTo(mask, [batch, heads, queries, keys]));
  const out = new Float64Array(batch * queries * valueWidth);
  const scores = new Float64Array(keys);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < queries; i++) {
        const query = (b * queries + i) * width + h * size;
        for (let j = 0; j < keys; j++) {
          const key = (b * keys + j) * width + h * size;
          let dot = 0;
          for (let d = 0; d < size; d++) dot += q[query + d]! * k[key + d]!;
          scores[j] = roundScore!(dot * scale) + (additive ? additive[((b * heads + h) * queries + i) * keys + j]! : 0);
        }
        softmaxLine(scores);
        for (let j = 0; j < keys; j++) scores[j] = roundProbability!(scores[j]!);
        const to = (b * queries + i) * valueWidth + h * valueSize;
        for (let j = 0; j < keys; j++) {
          const from = (b * keys + j) * valueWidth + h * valueSize;
          for (let d = 0; d < valueSize; d++) out[to + d]! += scores[j]! * v[from + d]!;
        }
      }
    }
  }
  return out;
}

/** Mean 0 and deviation 1 over the last axis, then scale and bias; with `rounding` rounded last. */
const layerNorm = engine('LayerNorm', {
  summary: 'Layer normalisation over the last axis.',
  inputs: slots('x: f32', 'scale: f32', 'bias: f32'),
  outputs: slots('y: f32'),
  attributes: { epsilon: { type: 'float', default: 1e-5 }, rounding: ROUNDING, layout: LAYOUT },
  infer: (context) => {
    const { shape } = input(context, 0);
    if (shape?.length === 0) context.fail('E_SHAPE', 'x is a scalar');
    for (const [index, what] of [
      [1, 'scale'],
      [2, 'bias'],
    ] as const) {
      expectRank(context, context.inputs[index], 1, what);
      sameDim(context, shape?.at(-1) ?? null, context.inputs[index]?.shape?.[0] ?? null, `width of x and of ${what}`);
    }
    return [known('f32', shape)];
  },
  evaluate: ([x, scale, bias], attributes, [out]) => {
    const values = Float64Array.from(numbersOf(x!));
    const width = x!.dims.at(-1)!;
    standardize(values, width, attributes['epsilon'] as number);
    const [s, b] = [numbersOf(scale!), numbersOf(bias!)];
    const y = values.map((value, i) => value * s[i % width]! + b[i % width]!);
    return [roundResult(f32(out!.dims, y), attributes)];
  },
});

const range = (context: InferContext): void => {
  for (const index of [1, 2]) {
    const { constant } = input(context, index);
    if (constant && constant.data.length !== 1)
      context.fail('E_QUANT', `input ${index} holds ${constant.data.length} elements; one is needed`);
  }
};

/** f32 → u8 or s8 by a range. */
const quantize = engine('Quantize', {
  summary: 'f32 to 8 bits by the range of its values.',
  inputs: slots('x: f32', 'min: f32', 'max: f32'),
  outputs: slots('y: u8|s8'),
  attributes: { dtype: { type: 'string', default: 'u8', oneOf: ['u8', 's8'] }, layout: LAYOUT },
  infer: (context) => {
    range(context);
    return [known(context.attributes['dtype'] as DType, input(context, 0).shape)];
  },
  evaluate: ([x, min, max], attributes) => [quantizeByRange(x!, min!, max!, attributes['dtype'] as DType)],
});

/** u8 or s8 → f32 by the same range, plus one value a feature. */
const dequantize = engine('Dequantize', {
  summary: '8 bits back to f32 by the range of the values, plus a bias.',
  inputs: slots('x: u8|s8', 'min: f32', 'max: f32', 'bias?: f32'),
  outputs: slots('y: f32'),
  attributes: { layout: LAYOUT },
  infer: (context) => {
    range(context);
    const { shape } = input(context, 0);
    const bias = context.inputs[3];
    expectRank(context, bias, 1, 'bias');
    sameDim(context, shape?.at(-1) ?? null, bias?.shape?.[0] ?? null, 'width of x and of bias');
    return [known('f32', shape)];
  },
  evaluate: ([x, min, max, bias], _, [out]) => {
    const added = bias && numbersOf(bias);
    const real = dequantizeByRange(x!, min!, max!);
    return [f32(out!.dims, added ? real.map((value, i) => value + added[i % added.length]!) : real)];
  },
});

/**
 * Where tokens-first and features-first storage meet in a transposed graph. The value stays what it is: graphs are free of layout, and
 * `src_perm` and `dst_perm` only say how the matrix of tokens and features lies in memory on either side.
 */
const reorder = engine('Reorder', {
  summary: 'A change of storage order between transposed and other operators; the value stays the same.',
  inputs: slots('x: T=any'),
  outputs: slots('y: T'),
  attributes: { src_perm: { type: 'ints', default: [0, 1] }, dst_perm: { type: 'ints', default: [1, 0] } },
  infer: likeFirst,
  evaluate: ([x]) => [x!],
});

/** What encoders are lowered to, apart from the linear layer. */
export const ENGINE_ENCODER_SCHEMAS: readonly OpSchema[] = [embeddings, paddingMask, attention, layerNorm, quantize, dequantize, reorder];
