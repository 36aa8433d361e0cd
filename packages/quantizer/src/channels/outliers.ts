import type { ChannelExtents } from './extents';
import { columnPowers, type WeightView } from './weight-view';

/** Channels go in blocks of the sparse format, which stay whole. */
const BLOCK = 4;

/** Blocks that may be taken out. */
const SIZES = [1, 2, 4];

/** They are where the rest keeps at most so much of the noise. */
const WORTHWHILE = 0.5;

/**
 * Chooses the channels of a value that reach so far beyond the others that they are better coded by a range of their own, as the
 * mixed decomposition of LLM.int8() does (Dettmers et al. 2022), but in 8 bits too.
 *
 * @returns the channels in order; none where one range for all is about as good.
 */
export function chooseOutliers(extents: ChannelExtents, reader: WeightView): readonly number[] {
  const powers = columnPowers(reader);
  const blocks = Array.from({ length: Math.floor(extents.channels / BLOCK) }, (_, block) => {
    const channels = Array.from({ length: BLOCK }, (_, i) => BLOCK * block + i);
    return { block, channels, ...noiseParts(extents, powers, channels) };
  }).sort((a, b) => b.reach - a.reach || a.block - b.block);
  let least = WORTHWHILE * noiseOf(blocks);
  let best = 0;
  for (const size of SIZES) {
    if (size >= blocks.length) break;
    const left = noiseOf(blocks.slice(0, size)) + noiseOf(blocks.slice(size));
    if (left < least) [least, best] = [left, size];
  }
  return blocks
    .slice(0, best)
    .flatMap(({ channels }) => channels)
    .sort((a, b) => a - b);
}

interface NoiseParts {
  readonly reach: number;
  readonly power: number;
}

function noiseParts(extents: ChannelExtents, powers: Float64Array, channels: readonly number[]): NoiseParts {
  let [reach, power] = [0, 0];
  for (const c of channels) {
    reach = Math.max(reach, extents.reach(c));
    power += powers[c]!;
  }
  return { reach, power };
}

/** Noise of the reader's results from one range for all of these channels, but for a factor. */
function noiseOf(parts: readonly NoiseParts[]): number {
  const reach = parts.reduce((most, part) => Math.max(most, part.reach), 0);
  return reach ** 2 * parts.reduce((sum, part) => sum + part.power, 0);
}
