import { type Tensor, tensor } from '@neural-engine/core';
import type { RunModel } from './pipelines/run-model';

export interface RecordingRun {
  readonly run: RunModel;
  /** Dims of `input_ids` of each run. */
  readonly shapes: number[][];
  readonly feeds: Record<string, Tensor>[];
}

/** For tests: a model that computes `width` floats for each token, or with `perSequence` for each sequence, from its id and mask. */
export function fakeModel(
  output: string,
  width: number | undefined,
  value: (id: number, channel: number, mask: number) => number,
  perSequence = false,
): RecordingRun {
  const feedsSeen: Record<string, Tensor>[] = [];
  const shapes: number[][] = [];
  return {
    feeds: feedsSeen,
    shapes,
    run: async (feeds) => {
      const ids = feeds['input_ids']!;
      const [batch, sequence] = ids.dims as [number, number];
      feedsSeen.push(feeds);
      shapes.push([batch, sequence]);
      const channels = width ?? 1;
      const places = perSequence ? batch : batch * sequence;
      const data = new Float32Array(places * channels);
      for (let place = 0; place < places; place++) {
        // A sequence is known by its token after [CLS].
        const token = perSequence ? place * sequence + 1 : place;
        const mask = Number(feeds['attention_mask']?.data[token] ?? 1);
        for (let channel = 0; channel < channels; channel++)
          data[place * channels + channel] = value(Number(ids.data[token]), channel, mask);
      }
      const dims = [batch, ...(perSequence ? [] : [sequence]), ...(width === undefined ? [] : [width])];
      return { [output]: tensor('f32', dims, data) };
    },
  };
}
