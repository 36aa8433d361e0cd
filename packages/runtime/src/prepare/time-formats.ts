import { EngineError } from '@neural-engine/core';
import type { LinearCandidate, WeightFormat } from '@neural-engine/kernels';
import type { WeightView } from '@neural-engine/sparsity';
import { kernels } from '../kernels';
import { PANELS } from './choose-format';

/** Seconds of a product by an s8 weight in each of some forms. */
export type TimeFormats = (
  weight: WeightView,
  zeroRatio: number,
  candidates: readonly LinearCandidate[],
) => ReadonlyMap<WeightFormat, number>;

/** Whether ties of the cost model are measured. */
export type Tuning = 'on' | 'off';

/** @throws {EngineError} E_USAGE `NE_TUNE` is neither on nor off. */
export function tuningOf(given: Tuning | undefined): Tuning {
  const value = given ?? (process.env['NE_TUNE'] || 'on');
  if (value === 'on' || value === 'off') return value;
  throw new EngineError('E_USAGE', 'usage', `NE_TUNE=${value}: expected on or off`, { where: 'NE_TUNE' });
}

/** Weights of a shape whose shares of zeros round to the same percentage share one measurement. */
const known = new Map<string, ReadonlyMap<WeightFormat, number>>();

/** Measures forms on this CPU, once a process for each shape, share of zeros and set of forms: what was chosen once is chosen again. */
export const timeFormats: TimeFormats = ({ data, out, in: inputs, transposed }, zeroRatio, candidates) => {
  const formats = candidates.map(({ format }) => format).sort();
  const key = `${out} ${inputs} ${Math.round(zeroRatio * 100)} ${formats.join()}`;
  const found = known.get(key);
  if (found) return found;
  const seconds = kernels().timeFormats(data as Int8Array, { m: out, k: inputs, order: transposed ? 'mk' : 'km', formats, panels: PANELS });
  known.set(key, seconds);
  return seconds;
};
