import type { Random } from './random';

/** Bytes that sit on the edges of protobuf: tags with small numbers, ends and starts of varints. */
const EDGES = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x0a, 0x12, 0x1a, 0x22, 0x2a, 0x32, 0x3a, 0x42, 0x4a, 0x5a, 0x62, 0x0b, 0x0c, 0x07, 0xfe];

type Mutation = (bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array;

const splice = (bytes: Uint8Array, at: number, removed: number, inserted: Uint8Array): Uint8Array => {
  const out = new Uint8Array(bytes.byteLength - removed + inserted.byteLength);
  out.set(bytes.subarray(0, at));
  out.set(inserted, at);
  out.set(bytes.subarray(at + removed), at + inserted.byteLength);
  return out;
};

const range = (bytes: Uint8Array, random: Random, longest = 64): [start: number, length: number] => {
  const start = random.below(bytes.byteLength + 1);
  return [start, random.below(Math.min(longest, bytes.byteLength - start) + 1)];
};

const setByte =
  (value: (random: Random, old: number) => number): Mutation =>
  (bytes, random) => {
    const out = bytes.slice();
    if (out.byteLength > 0) {
      const at = random.below(out.byteLength);
      out[at] = value(random, out[at]!);
    }
    return out;
  };

/** Without regard to the structure of the file. */
const MUTATIONS: readonly Mutation[] = [
  setByte((random, old) => old ^ (1 << random.below(8))),
  setByte((random) => random.pick(EDGES)),
  setByte((random) => random.below(256)),
  setByte((random, old) => old + random.pick([1, 2, 254, 255])),
  (bytes, random) => bytes.slice(0, random.below(bytes.byteLength + 1)),
  (bytes, random) => splice(bytes, ...range(bytes, random), new Uint8Array(0)),
  (bytes, random) => {
    const [start, length] = range(bytes, random);
    return splice(bytes, start, 0, bytes.slice(start, start + length));
  },
  (bytes, random, other) => {
    const [start, length] = range(other, random, 512);
    return splice(bytes, random.below(bytes.byteLength + 1), 0, other.slice(start, start + length));
  },
  (bytes, random, other) =>
    splice(bytes.slice(0, random.below(bytes.byteLength + 1)), 0, 0, other.slice(random.below(other.byteLength + 1))),
  (bytes, random) =>
    splice(
      bytes,
      random.below(bytes.byteLength + 1),
      0,
      Uint8Array.from({ length: random.below(24) }, () => random.pick(EDGES)),
    ),
];

/** One to three changes of bytes. */
export function mutateBytes(bytes: Uint8Array, random: Random, other: Uint8Array): Uint8Array {
  let out = bytes;
  for (let count = 1 + random.below(3); count > 0; count--) out = random.pick(MUTATIONS)(out, random, other);
  return out;
}
