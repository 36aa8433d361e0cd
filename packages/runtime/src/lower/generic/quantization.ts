import { isFloat } from '@neural-engine/core';
import type { GenericAttribute } from '@neural-engine/kernels';
import type { ConcreteValue } from '../../plan/concrete';
import { type GenericBuilder, wideFloat } from './builder';
import type { Rule, Rules } from './rule';
import { product } from './views';

/** Along which axis, and in what blocks, the scale changes. */
function granularity(b: GenericBuilder, x: ConcreteValue, scale: ConcreteValue): Record<string, GenericAttribute> {
  const block = b.number('block_size');
  if (block === 0 && product(scale.dims) === 1) return {};
  const axis = b.axis(x.dims.length);
  return block === 0 ? { axis } : { axis, block };
}

const quantizeLinear: Rule = {
  lower(b) {
    const [x, scale, zero] = [b.x(0), b.x(1), b.optional(2)];
    const same = x.dtype === scale.dtype && isFloat(x.dtype);
    const dtype = same ? x.dtype : x.dtype === 'f64' || scale.dtype === 'f64' ? 'f64' : 'f32';
    b.step('quantize', [b.cast(x, dtype), b.cast(scale, dtype), zero], [b.y], granularity(b, x, scale));
  },
};

const dequantizeLinear: Rule = {
  lower(b) {
    const [x, scale, zero] = [b.x(0), b.x(1), b.optional(2)];
    // The product is rounded once, to the output's dtype.
    const dtype = b.y.dtype === scale.dtype ? scale.dtype : wideFloat(scale, b.y);
    b.castInto(b.y, dtype, (y) => b.step('dequantize', [x, b.cast(scale, dtype), zero], [y], granularity(b, x, scale)));
  },
};

const dynamicQuantizeLinear: Rule = {
  lower(b) {
    const x = b.x(0);
    b.step('dynamic_quantize', [x], [b.yOr(0, 'u8', x.dims), b.yOr(1, 'f32', []), b.yOr(2, 'u8', [])]);
  },
};

/** ONNX's quantisation. */
export const QUANTIZATION: Rules = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
  DynamicQuantizeLinear: dynamicQuantizeLinear,
};
