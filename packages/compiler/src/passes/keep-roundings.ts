import type { Tensor } from '@neural-engine/core';
import type { Value } from '@neural-engine/ir';
import { codeRange } from '../facts/code-range';
import { quantizedWeight } from '../facts/quantized-weight';
import { lastDim } from '../facts/shape-facts';
import { constant, type Declined, decline, op, rewrite, value } from '../rewrite';
import { quantizePair } from './collect-quantization';
import { biasVector } from './fuse-inner-product';

/** One number as the engine's operators take the ends of a range. */
export const limit = (element: number): Tensor => ({ dtype: 'f32', dims: [1], data: Float32Array.of(element) });

/**
 * DequantizeLinear(QuantizeLinear(x))  →  the engine's Dequantize(Quantize(x)), where every rounding of a file is to be kept.
 *
 * s8 codes become u8 ones of the same steps. Else `collect-quantization` takes the pairs.
 */
export const keepRoundings = rewrite({
  name: 'keep-roundings',
  summary: "with roundings kept, a Quantize-Dequantize pair of an activation becomes the engine's own",
  pattern: quantizePair,
  replace: ({ x, scale, zero }, graph, { rounding }): Value | Declined | undefined => {
    if (rounding !== 'file' || x.constant) return undefined;
    const range = codeRange(scale.constant!, zero?.constant);
    if (!range) return decline('scale and zero point are not those of one 8-bit code for the whole tensor');
    if (x.dtype !== 'f32') return decline(`it codes ${x.dtype}, not f32`);
    const limits = [graph.constant(`${x.name}_min`, limit(range.min)), graph.constant(`${x.name}_max`, limit(range.max))];
    return graph.op('Dequantize', [graph.op('Quantize', [x, ...limits], { dtype: 'u8' }), ...limits]);
  },
});

const codes = value('codes');
const [min, max] = [constant('min'), constant('max')];

/** Quantize(Dequantize(codes)) by one range  →  the codes. */
export const mergeRoundings = rewrite({
  name: 'merge-roundings',
  summary: 'a value that is dequantised and quantised again by the same range stays quantised',
  pattern: op('Quantize', op('Dequantize', codes, min, max).shared(), min, max),
  replace: ({ codes }, graph) => (codes.dtype === graph.root.attributes['dtype'] ? codes : undefined),
});

const SLOT = { x: 0, weight: 1, bias: 2, residual: 3, yMin: 10 } as const;

/** Dequantize(codes) · DequantizeLinear(integers)  →  the 8-bit product of the two. */
export const lowerCodedProduct = rewrite({
  name: 'lower-coded-product',
  summary: 'a product of dequantised codes by an integer weight multiplies the codes',
  pattern: op('InnerProduct'),
  replace: (_, graph) => {
    const { root } = graph;
    const input = graph.producer(graph.input(root, SLOT.x));
    const dequantize = graph.producer(graph.input(root, SLOT.weight));
    if (input?.op !== 'Dequantize' || dequantize?.op !== 'DequantizeLinear') return undefined;
    const [codes, xMin, xMax, added] = input.inputs.map((_, slot) => graph.input(input, slot));
    if (added || codes?.dtype !== 'u8') return decline('its input is not the plain value of u8 codes');
    const weight = quantizedWeight(graph.graph, dequantize, root.attributes['transposed'] === true);
    if (typeof weight === 'string') return decline(weight);
    const { name } = graph.input(root, SLOT.weight)!;
    const range = [graph.constant(`${name}_min`, weight.min), graph.constant(`${name}_max`, weight.max)];
    const addends = [graph.input(root, SLOT.bias), graph.input(root, SLOT.residual)];
    return graph.op('InnerProduct', [codes, graph.constant(`${name}_s8`, weight.codes), ...addends, xMin, xMax, ...range], root.attributes);
  },
});

const product = op('InnerProduct').as('product');

/** Quantize of an 8-bit product  →  the product, which codes its result itself. */
export const absorbQuantize = rewrite({
  name: 'absorb-quantize',
  summary: 'the Quantize behind an 8-bit product becomes the code of its result',
  pattern: op('Quantize', product, min, max),
  replace: ({ product, min, max }, graph) => {
    const node = graph.producer(product)!;
    const inputs: (Value | undefined)[] = node.inputs.map((_, slot) => graph.input(node, slot));
    if (inputs[SLOT.weight]?.dtype !== 's8' || inputs.length > SLOT.yMin) return undefined;
    if (inputs[SLOT.residual]) return decline('the product adds a residual, which is f32');
    if (node.attributes['rounding'] === 'bf16') return decline('the product rounds its result before that is coded');
    while (inputs.length < SLOT.yMin) inputs.push(undefined);
    return graph.op('InnerProduct', [...inputs, min, max], { ...node.attributes, output_dtype: graph.root.attributes['dtype'] ?? 'u8' });
  },
});

/** Dequantize(codes) + vector  →  Dequantize with that bias. */
export const absorbDequantizedBias = rewrite({
  name: 'absorb-dequantized-bias',
  summary: 'a vector added to a Dequantize becomes its bias',
  pattern: op('Add', op('Dequantize', codes, min, max).as('real'), constant('bias')),
  replace: ({ codes, min, max, real, bias }, graph) => {
    const vector = biasVector(bias, lastDim(real.shape) ?? null, graph);
    if (!vector || bias.shape!.length > real.shape!.length) return decline('the summand is no vector over the last axis');
    return graph.op('Dequantize', [codes, min, max, vector]);
  },
});
