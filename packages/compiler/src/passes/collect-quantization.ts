import type { Value } from '@neural-engine/ir';
import { codeRange } from '../facts/code-range';
import { constant, type Declined, decline, oneOf, op, type Replacement, rewrite, value } from '../rewrite';

const x = value('x');
const scale = constant('scale');
const zero = constant('zero');

/** DequantizeLinear(QuantizeLinear(x)) by one code. */
export const quantizePair = oneOf(
  op('DequantizeLinear', op('QuantizeLinear', x, scale, zero).shared(), scale, zero),
  op('DequantizeLinear', op('QuantizeLinear', x, scale).shared(), scale),
);

/**
 * DequantizeLinear(QuantizeLinear(x))  →  x, with the range that the 8 bits span noted for `insert-quantization`.
 *
 * min = (lowest − zero point) · scale, max = (highest − zero point) · scale. In between, the fusions see plain f32 arithmetic.
 */
export const collectQuantization = rewrite({
  name: 'collect-quantization',
  summary: 'a Quantize-Dequantize pair of an activation vanishes, and its range is noted',
  pattern: quantizePair,
  replace: ({ x, scale, zero }, _, { ranges }): Value | Declined | undefined => {
    if (x.constant) return undefined;
    const range = codeRange(scale.constant!, zero?.constant);
    if (!range) return decline('scale and zero point are not those of one 8-bit code for the whole tensor');
    const known = ranges.get(x.name);
    if (known && (known.min !== range.min || known.max !== range.max)) return decline('its input is quantised in two ways');
    ranges.set(x.name, range);
    return x;
  },
});

const product = op(
  'QLinearMatMul',
  value('a'),
  constant('aScale'),
  constant('aZero'),
  constant('b'),
  constant('bScale'),
  constant('bZero'),
  constant('yScale'),
  constant('yZero'),
);

/** QLinearMatMul by a constant  →  the product of the dequantised operands, quantised: the form of a Q/DQ file. */
export const expandQLinearMatMul = rewrite({
  name: 'expand-qlinear-matmul',
  summary: 'QLinearMatMul by a constant is written as a Q/DQ file would',
  pattern: product,
  replace: ({ a, aScale, aZero, b, bScale, bZero, yScale, yZero }, graph) => {
    if (aScale.constant!.data.length !== 1) return decline('its first operand has a scale per row');
    const left = graph.op('DequantizeLinear', [a, aScale, aZero]);
    const right = graph.op('DequantizeLinear', [b, bScale, bZero], { axis: Math.max(0, b.shape!.length - 1) });
    return graph.op('QuantizeLinear', [graph.op('MatMul', [left, right]), yScale, yZero]);
  },
});

const codes = op('DynamicQuantizeLinear', x).shared().as('codes');
const integers = op(
  'Cast',
  oneOf(
    op('MatMulInteger', codes, constant('b'), value('zero'), constant('bZero')),
    op('MatMulInteger', codes, constant('b'), value('zero')),
  ),
);
const xScale = value('xScale');
const bScale = constant('bScale');

/**
 * DynamicQuantizeLinear → MatMulInteger → Cast → · (scale · weight scale)  →  MatMul by the dequantised weight, and a note for
 * `insert-quantization` that its input is coded at run time.
 *
 * A file has one range for the whole tensor; the engine finds one for each token, which is never wider.
 */
export const expandDynamicQuantization = rewrite({
  name: 'expand-dynamic-quantization',
  summary: 'a product of dynamically quantised integers becomes the product it stands for, and its input is noted',
  pattern: oneOf(op('Mul', integers, op('Mul', xScale, bScale)), op('Mul', op('Mul', integers, xScale), bScale)),
  replace: ({ x, codes, zero, xScale, b, bScale, bZero }, graph, { dynamic: noted }) => {
    const dynamic = graph.producer(codes)!;
    if (xScale.name !== dynamic.outputs[1] || zero.name !== dynamic.outputs[2])
      return decline('scale and zero point are of another quantisation');
    const scale = vectorOf(bScale, graph);
    const shift = bZero && vectorOf(bZero, graph);
    const weight = graph.op('DequantizeLinear', [b, scale, shift?.dtype === b.dtype ? shift : undefined], { axis: 1 });
    noted.add(x.name);
    return graph.op('MatMul', [x, weight]);
  },
});

/** Per-column constants as the vectors DequantizeLinear wants. */
function vectorOf(value: Value, graph: Replacement): Value {
  const tensor = value.constant!;
  return tensor.dims.length <= 1 ? value : graph.constant(value.name, { ...tensor, dims: [tensor.data.length] });
}
