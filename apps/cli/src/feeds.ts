import { allocate, EngineError, elementCount, type Tensor } from '@neural-engine/core';
import type { Port } from '@neural-engine/runtime';

export interface FeedShape {
  readonly batch: number;
  readonly seqLen: number;
  /** Tokens of each sequence; default: all `seqLen`. */
  readonly lengths?: readonly number[];
  /** Token ids are drawn below this. */
  readonly vocabulary: number;
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

const isMask = (name: string): boolean => /mask/i.test(name);
const isTypes = (name: string): boolean => /type|segment/i.test(name);

/**
 * Feeds for measuring: random token ids, masks of full length (or of the lengths given), zero segment ids, floats in [−1, 1).
 *
 * @throws {EngineError} E_USAGE a mask would hold no token.
 */
export function benchFeeds(ports: readonly Port[], shape: FeedShape, seed = 1): Record<string, Tensor> {
  const next = random(seed);
  const lengths = shape.lengths ?? new Array<number>(shape.batch).fill(shape.seqLen);
  if (lengths.length !== shape.batch || lengths.every((length) => length === 0))
    throw new EngineError('E_USAGE', 'usage', `lengths ${lengths.join(',')}: expected ${shape.batch} numbers, not all 0`);
  const element = (port: Port, visible: boolean): number => {
    // A mask of more than two dims is one that the model adds to its scores.
    if (isMask(port.name)) return port.shape.length > 2 ? (visible ? 0 : -10000) : Number(visible);
    if (isTypes(port.name)) return 0;
    return port.dtype === 'f32' ? next() * 2 - 1 : Math.floor(next() * shape.vocabulary);
  };
  return Object.fromEntries(
    ports.map((port) => {
      const dims = port.shape.map((dim, axis) => (typeof dim === 'number' ? dim : axis === 0 ? shape.batch : shape.seqLen));
      const data = allocate(port.dtype, elementCount(dims, port.name, 'run'));
      const wide = data instanceof BigInt64Array || data instanceof BigUint64Array;
      const perRow = data.length / Math.max(dims[0] ?? 1, 1);
      for (let i = 0; i < data.length; i++) {
        const value = element(port, i % shape.seqLen < (lengths[Math.floor(i / perRow)] ?? 0));
        (data as { [index: number]: number | bigint })[i] = wide ? BigInt(value) : value;
      }
      return [port.name, { dtype: port.dtype, dims, data }];
    }),
  );
}
