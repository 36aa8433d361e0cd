import type { Graph } from '@neural-engine/ir';
import { preActivation } from '../calibration-graph';
import type { Recipe } from '../recipe';
import { type ChannelCandidates, channelCandidates } from './candidates';
import { ChannelExtents } from './extents';
import { chooseMultipliers } from './multipliers';
import { chooseOutliers } from './outliers';
import { weightView } from './weight-view';

/** Channels that are not coded like the others, by the name of the value. */
export interface ChannelPlan {
  /** For each channel of a LayerNorm's result, what it is multiplied by before it is coded. */
  readonly multipliers: ReadonlyMap<string, Float32Array>;
  /** Channels with a range of their own, of an activation and of the value before it, and how many channels these have. */
  readonly outliers: ReadonlyMap<string, { readonly channels: readonly number[]; readonly width: number }>;
}

export const NO_PLAN: ChannelPlan = { multipliers: new Map(), outliers: new Map() };

/** Collects how far channels reach and then decides. */
export class ChannelPlanner {
  private readonly candidates: ChannelCandidates;
  readonly extents: ReadonlyMap<string, ChannelExtents>;

  constructor(
    private readonly graph: Graph,
    recipe: Recipe = {},
  ) {
    this.candidates = channelCandidates(graph, recipe);
    const readers = [
      ...[...this.candidates.norms].map(([name, [reader]]) => [name, reader!] as const),
      ...[...this.candidates.hidden].map(([name, [, reader]]) => [name, reader] as const),
    ];
    this.extents = new Map(readers.map(([name, reader]) => [name, new ChannelExtents(weightView(graph, reader).inputs)]));
  }

  plan(): ChannelPlan {
    const multipliers = new Map<string, Float32Array>();
    const outliers = new Map<string, { channels: readonly number[]; width: number }>();
    for (const [name, readers] of this.candidates.norms) {
      const chosen = chooseMultipliers(
        this.extents.get(name)!,
        readers.map((reader) => weightView(this.graph, reader)),
      );
      if (chosen) multipliers.set(name, chosen);
    }
    for (const [name, [maker, reader]] of this.candidates.hidden) {
      const extents = this.extents.get(name)!;
      const channels = chooseOutliers(extents, weightView(this.graph, reader));
      if (channels.length === 0) continue;
      for (const value of [name, preActivation(maker.name)]) outliers.set(value, { channels, width: extents.channels });
    }
    return { multipliers, outliers };
  }
}
