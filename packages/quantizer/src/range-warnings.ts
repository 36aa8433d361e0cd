import { EngineError } from '@neural-engine/core';
import type { Histogram, Range } from './histogram';

/** Something about a value or weight that does not stop quantisation but deserves a look. */
export interface Warning {
  /** The value or weight. */
  readonly where: string;
  readonly message: string;
}

/** Largest finite and smallest normal f32. */
const [LARGEST, SMALLEST] = [3.4028234663852886e38, 2 ** -126];

/** Narrowest range whose step is a normal f32. */
const NARROWEST = 255 * SMALLEST;

/**
 * A range whose scale f32 can hold: one that is too narrow is widened.
 * @throws {EngineError} E_QUANT it is so wide that its width overflows f32.
 */
export function admissible({ min, max }: Range, where: string): Range {
  if (max - min > LARGEST)
    throw new EngineError('E_QUANT', 'quantize', `"${where}" spans ${min} to ${max}: that is too wide for a scale in f32`, { where });
  if (max - min >= NARROWEST) return { min, max };
  return { min, max: min + NARROWEST };
}

export function warningsOf(histogram: Histogram, range: Range, where: string): Warning[] {
  const warnings: Warning[] = [];
  const { min, max, nonFinite, total } = histogram;
  if (nonFinite > 0)
    warnings.push({ where, message: `${nonFinite} values were NaN or infinite and left out; the range is that of the other ${total}` });
  if (min === max) warnings.push({ where, message: min === 0 ? 'was always 0: scale 1' : `was always ${min}` });
  if (range.max - range.min < NARROWEST)
    warnings.push({ where, message: `its range ${range.min} to ${range.max} is too narrow for f32 and was widened` });
  return warnings;
}
