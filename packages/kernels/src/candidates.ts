import { calling } from './errors';
import { native } from './load';
import type { LinearCandidate, WeightFormat } from './types';

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
