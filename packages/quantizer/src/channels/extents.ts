/** How far each channel of a value reaches, and how much it carries. Depends on the values alone, not on their order. */
export class ChannelExtents {
  readonly min: Float32Array;
  readonly max: Float32Array;
  /** Sum of squares, each rounded to {@link GRID} so that sums are exact and their order does not matter. */
  private readonly squares: Float64Array;
  private rows = 0;

  constructor(readonly channels: number) {
    this.min = new Float32Array(channels);
    this.max = new Float32Array(channels);
    this.squares = new Float64Array(channels);
  }

  /** Whole rows of channels. Values that are not finite are left to the histograms, which refuse or count them. */
  add(values: Float32Array): void {
    const { channels, min, max, squares } = this;
    for (let at = 0; at + channels <= values.length; at += channels) {
      for (let c = 0; c < channels; c++) {
        const x = values[at + c]!;
        if (x - x !== 0) continue;
        if (x < min[c]!) min[c] = x;
        else if (x > max[c]!) max[c] = x;
        squares[c]! += Math.round(x * x * GRID) / GRID;
      }
      this.rows++;
    }
  }

  /** Largest magnitude of a channel. */
  reach(channel: number): number {
    return Math.max(-this.min[channel]!, this.max[channel]!);
  }

  /** Mean of the squares of a channel. */
  power(channel: number): number {
    return this.squares[channel]! / Math.max(1, this.rows);
  }
}

const GRID = 2 ** 16;
