import { calling } from './errors';
import { native } from './load';
import type { LinearCandidate, TimeOptions, WeightFormat } from './types';

/**
 * What a product by an s8 weight `[m][k]` would cost in each form that this CPU has a kernel for, cheapest first. Nothing is measured: a
 * model of the kernels answers, the same each time.
 *
 * @param blocks  4x1 blocks (four outputs, one input) that hold anything but zeros.
 * @param panels  panels of 64 tokens that one product takes.
 * @throws {EngineError} E_USAGE a shape that no weight can have, more blocks than it has.
 */
export function linearCandidates(m: number, k: number, blocks: number, panels: number): readonly LinearCandidate[] {
  const found = calling('load', () => native().linearCandidates(m, k, blocks, panels));
  return found.map((candidate) => ({ ...candidate, format: candidate.format as WeightFormat }));
}

/**
 * Measures an s8 weight in some forms: seconds of a product of some of its rows, the fastest of a few runs in turn, in processor
 * time. Tens of milliseconds in all.
 *
 * All forms give the same bits, so that what is chosen by this changes no result.
 *
 * @param weight  s8 [m, k], or [k, m] with `order` `km`.
 * @throws {EngineError} E_USAGE a weight that is not of that shape, panels that are not 1 to 4; E_SPARSE a form that cannot hold it; E_LIMIT.
 */
export function timeFormats(weight: Int8Array, { m, k, order, formats, panels }: TimeOptions): ReadonlyMap<WeightFormat, number> {
  const seconds = calling('load', () => native().timeFormats(weight, m, k, order, [...formats], panels));
  return new Map(formats.map((format, i) => [format, seconds[i]!]));
}
