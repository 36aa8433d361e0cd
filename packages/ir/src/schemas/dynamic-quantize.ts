import type { OpSchema } from '../schema';
import { numbersOf } from './cells';
import { engine, slots } from './define';
import { LAYOUT } from './engine-linear';
import { f32 } from './ranges';
import { input, known } from './support';
import { roundEven } from './unary';

/** Least range of a token; a token of zeros has codes of zero. */
const LEAST_RANGE = Math.fround(1e-30);

/**
 * f32 → u8, each row of the last axis by its own range: real = (code − zero) · step.
 *
 * Asymmetric: r = max(0, x) − min(0, x), step = r / 255, zero = round(−min · 255 / r). Symmetric: r = max |x|, step = r / 127, zero = 128.
 * code = saturate(round(x · (255 or 127) / r + zero)), ties to even. A row with NaN or infinity has a step of NaN.
 */
const dynamicQuantize = engine('DynamicQuantize', {
  summary: 'f32 to 8 bits, each token by the range of its own features.',
  inputs: slots('x: f32'),
  outputs: slots('y: u8', 'step: f32', 'zero: f32'),
  attributes: { symmetric: { type: 'bool', default: false }, layout: LAYOUT },
  infer: (context) => {
    const { shape } = input(context, 0);
    if (shape?.length === 0) context.fail('E_SHAPE', 'x is a scalar');
    const tokens = shape && [...shape.slice(0, -1), 1];
    return [known('u8', shape), known('f32', tokens), known('f32', tokens)];
  },
  evaluate: ([x], attributes) => {
    const values = numbersOf(x!);
    const width = x!.dims.at(-1)!;
    const tokens = width === 0 ? 0 : values.length / width;
    const codes = new Uint8Array(values.length);
    const [steps, zeros] = [new Float32Array(tokens), new Float32Array(tokens)];
    const levels = attributes['symmetric'] === true ? 127 : 255;
    for (let token = 0; token < tokens; token++) {
      let [low, high, poison] = [0, 0, 0];
      for (let i = token * width; i < (token + 1) * width; i++) {
        low = Math.min(low, values[i]!);
        high = Math.max(high, values[i]!);
        poison += values[i]! * 0;
      }
      const range = Math.max(LEAST_RANGE, Math.fround(levels === 127 ? Math.max(high, -low) : high - low));
      const inverse = Math.fround(levels / range);
      const zero = levels === 127 ? 128 : roundEven(Math.min(255, Math.fround(-low * inverse)));
      steps[token] = Math.fround(range) / levels + poison;
      zeros[token] = zero;
      for (let i = token * width; i < (token + 1) * width; i++)
        codes[i] = Math.max(0, Math.min(255, roundEven(Math.fround(values[i]! * inverse + zero))));
    }
    const dims = [...x!.dims.slice(0, -1), 1];
    return [{ dtype: 'u8', dims: x!.dims, data: codes }, f32(dims, steps), f32(dims, zeros)];
  },
});

/** Quantisation whose ranges are found at run time. */
export const DYNAMIC_QUANTIZE_SCHEMAS: readonly OpSchema[] = [dynamicQuantize];
