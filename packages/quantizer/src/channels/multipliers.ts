import type { ChannelExtents } from './extents';
import { columnPowers, type WeightView } from './weight-view';

/** How much of a channel's reach moves into the weights. */
const EXPONENTS = [0.5, 0.75, 1];

/** Multipliers are taken where they leave at most so much of the noise. */
const WORTHWHILE = 0.75;

/**
 * Chooses a multiplier for each channel of a value, so that one range for all codes them more evenly: the value is multiplied where it is
 * made, its readers' weights are divided. Powers of two, so that neither changes a bit of what f32 would compute.
 *
 * For channels that reach r and weights that reach w: m = w^(1 − α) / r^α (SmoothQuant, Xiao et al. 2023), with the α that leaves the least
 * noise in the results, by the noise of rounding alone: step² / 12 of each code, of activations and of weights.
 *
 * @returns undefined where no α leaves clearly less noise than no multipliers.
 */
export function chooseMultipliers(extents: ChannelExtents, readers: readonly WeightView[]): Float32Array | undefined {
  const { channels } = extents;
  const powers = readers.map(columnPowers);
  const noise = (multipliers: Float32Array): number =>
    readers.reduce(
      (sum, weight, i) => sum + activationNoise(extents, powers[i]!, multipliers) + weightNoise(extents, weight, multipliers),
      0,
    );
  let least = WORTHWHILE * noise(new Float32Array(channels).fill(1));
  let best: Float32Array | undefined;
  const reaches = Float64Array.from({ length: channels }, (_, c) => extents.reach(c));
  const weights = weightReaches(channels, readers);
  for (const exponent of EXPONENTS) {
    const tried = Float32Array.from(reaches, (reach, c) => multiplier(reach, weights[c]!, exponent));
    const left = noise(tried);
    if (left < least) [least, best] = [left, tried];
  }
  return best;
}

/** The power of two nearest to the ideal; a channel without values or weights may have any and keeps 1. */
function multiplier(reach: number, weight: number, exponent: number): number {
  if (reach === 0 || weight === 0) return reach === 0 ? 1 : powerOfTwo(1 / reach);
  return powerOfTwo(weight ** (1 - exponent) / reach ** exponent);
}

/** Far from where γ · m or w / m would leave the normal numbers. */
const powerOfTwo = (value: number): number => 2 ** Math.max(-32, Math.min(32, Math.round(Math.log2(value))));

function weightReaches(channels: number, readers: readonly WeightView[]): Float64Array {
  const reaches = new Float64Array(channels);
  for (const { outputs, inputs, data, at } of readers)
    for (let k = 0; k < inputs; k++) for (let n = 0; n < outputs; n++) reaches[k] = Math.max(reaches[k]!, Math.abs(data[at(n, k)]!));
  return reaches;
}

/** Noise of the results from rounding x · m to one of 256 codes. */
function activationNoise(extents: ChannelExtents, powers: Float64Array, multipliers: Float32Array): number {
  let [low, high, gain] = [0, 0, 0];
  for (let c = 0; c < multipliers.length; c++) {
    const m = multipliers[c]!;
    low = Math.min(low, extents.min[c]! * m);
    high = Math.max(high, extents.max[c]! * m);
    gain += powers[c]! / m ** 2;
  }
  return (((high - low) / 255) ** 2 / 12) * gain;
}

/** Noise of the results from rounding w / m to 127 steps on each side; zeros stay zeros. */
function weightNoise(extents: ChannelExtents, { outputs, inputs, data, at }: WeightView, multipliers: Float32Array): number {
  let sum = 0;
  for (let n = 0; n < outputs; n++) {
    let [largest, power] = [0, 0];
    for (let k = 0; k < inputs; k++) {
      const w = data[at(n, k)]!;
      if (w === 0) continue;
      const m = multipliers[k]!;
      largest = Math.max(largest, Math.abs(w) / m);
      power += extents.power(k) * m ** 2;
    }
    sum += ((largest / 127) ** 2 / 12) * power;
  }
  return sum;
}
