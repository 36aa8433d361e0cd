import type { Tensor } from '@neural-engine/core';
import type { ActivationRange } from '../rewrite';
import { elementNumber } from './tensor-facts';

/** The steps of an 8-bit code. */
const CODES: Readonly<Record<string, readonly [number, number]>> = { u8: [0, 255], s8: [-128, 127] };

/**
 * The range that a scale and zero point of ONNX span: min = (lowest − zero point) · scale, max = (highest − zero point) · scale.
 *
 * Undefined where they are not of one 8-bit code for a whole tensor.
 */
export function codeRange(scale: Tensor, zero: Tensor | undefined): ActivationRange | undefined {
  const codes = CODES[zero?.dtype ?? 'u8'];
  if (!codes || scale.data.length !== 1 || (zero && zero.data.length !== 1)) return undefined;
  const step = elementNumber(scale, 0);
  const at = zero ? elementNumber(zero, 0) : 0;
  return { min: (codes[0] - at) * step, max: (codes[1] - at) * step };
}
