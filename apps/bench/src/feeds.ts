import type { Tensor } from '@neural-engine/engine';
import * as ort from 'onnxruntime-node';

export interface FeedShape {
  readonly batch: number;
  readonly seqLen: number;
}

/** A small, fast generator (mulberry32): the same seed gives the same feeds on every machine. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const masks = (batch: number, seqLen: number, lengths?: readonly number[]): Tensor => ({
  dtype: 's64',
  dims: [batch, seqLen],
  data: BigInt64Array.from({ length: batch * seqLen }, (_, i) => BigInt(i % seqLen < (lengths?.[Math.floor(i / seqLen)] ?? seqLen))),
});

/** Random ids below 1000; masks of full length, or of the lengths given. */
export function tokenFeeds({ batch, seqLen }: FeedShape, lengths?: readonly number[]): Record<string, Tensor> {
  const next = random(7);
  const ids = BigInt64Array.from({ length: batch * seqLen }, () => BigInt(Math.floor(next() * 1000)));
  return { input_ids: { dtype: 's64', dims: [batch, seqLen], data: ids }, attention_mask: masks(batch, seqLen, lengths) };
}

/** Random activations of about unit variance for bodies without embeddings. */
export function bodyFeeds({ batch, seqLen }: FeedShape, hidden: number, seed = 7): Record<string, Tensor> {
  const next = random(seed);
  const data = Float32Array.from({ length: batch * seqLen * hidden }, () => (next() * 2 - 1) * 1.7);
  return { x: { dtype: 'f32', dims: [batch, seqLen, hidden], data }, attention_mask: masks(batch, seqLen) };
}

/** The same for ONNX Runtime's bodies, which take the mask as s32. */
export function ortBodyFeeds(feeds: Record<string, Tensor>): Record<string, ort.Tensor> {
  const { x, attention_mask: mask } = feeds as { x: Tensor; attention_mask: Tensor };
  return {
    x: new ort.Tensor('float32', x.data as Float32Array, [...x.dims]),
    mask: new ort.Tensor('int32', Int32Array.from(mask.data as BigInt64Array, Number), [...mask.dims]),
  };
}

export const ortTokenFeeds = (feeds: Record<string, Tensor>): Record<string, ort.Tensor> =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { data, dims }]) => [name, new ort.Tensor('int64', data as BigInt64Array, [...dims])]),
  );
