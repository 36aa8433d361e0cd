import type { Random } from './random';
import { parseTree, serializeTree, type TreeField } from './wire-tree';

const INTEGERS = [
  0n,
  1n,
  2n,
  3n,
  7n,
  8n,
  16n,
  17n,
  64n,
  127n,
  128n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
  2n ** 63n,
  -1n,
  -2n,
];
const TEXTS = [
  '',
  '.',
  '..',
  '../x',
  '/etc/passwd',
  'C:\\x',
  '\0',
  '__proto__',
  'constructor',
  'X',
  'Y',
  'W',
  '-1',
  '9223372036854775808',
  'If',
  'Constant',
  'QuantizeLinear',
];
const RAW = [[], [0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0, 0, 0, 0], [0, 0, 0xc0, 0x7f], [0, 0, 0x80, 0xff], [1, 0, 0, 0, 0, 0, 0, 0]];

/** A list of fields picked from anywhere in a tree. */
function pickMessage(fields: TreeField[], random: Random): TreeField[] {
  let at = fields;
  for (;;) {
    const inner = at.filter((field) => Array.isArray(field.value));
    if (inner.length === 0 || random.below(4) === 0) return at;
    at = random.pick(inner).value as TreeField[];
  }
}

function anyText(random: Random): Uint8Array {
  return random.below(3) === 0 ? Uint8Array.from(random.pick(RAW)) : new TextEncoder().encode(random.pick(TEXTS));
}

function changeValue(field: TreeField, random: Random): void {
  if (typeof field.value === 'bigint')
    field.value = random.below(2) === 0 ? random.pick(INTEGERS) : field.value + BigInt(random.below(5) - 2);
  else if (Array.isArray(field.value)) field.value = [];
  else if (field.wireType === 2) field.value = anyText(random);
  else field.value = field.value.map(() => random.pick([0, 0xff, 0x7f, 0x80, 0xc0, 1]));
}

type Mutation = (message: TreeField[], random: Random, other: TreeField[]) => void;

/** With regard to the structure, so that the result is well-formed protobuf that says something else. */
const MUTATIONS: readonly Mutation[] = [
  (message, random) => message.length > 0 && changeValue(random.pick(message), random),
  (message, random) => message.length > 0 && changeValue(random.pick(message), random),
  (message, random) => message.splice(random.below(message.length + 1), 1),
  (message, random) => message.length > 0 && message.splice(random.below(message.length + 1), 0, structuredClone(random.pick(message))),
  (message, random) => message.length > 0 && message.push(...message.splice(random.below(message.length), 1)),
  (message, random, other) => {
    const donor = pickMessage(other, random);
    if (donor.length > 0) message.splice(random.below(message.length + 1), 0, structuredClone(random.pick(donor)));
  },
  (message, random) => message.push({ number: 1 + random.below(26), wireType: 0, value: random.pick(INTEGERS) }),
  (message, random) => message.push({ number: 1 + random.below(26), wireType: 2, value: anyText(random) }),
];

/** One to four changes of fields. The inputs must be well-formed. */
export function mutateTree(bytes: Uint8Array, random: Random, other: Uint8Array): Uint8Array {
  const tree = parseTree(bytes);
  const donor = parseTree(other);
  for (let count = 1 + random.below(4); count > 0; count--) random.pick(MUTATIONS)(pickMessage(tree, random), random, donor);
  return Uint8Array.from(serializeTree(tree));
}

/** The fields that lead from one message to the next of its kind: subgraphs, sequence types, unknown groups. */
const LADDERS = [
  { first: [7], rungs: [1, 5, 6] },
  { first: [7, 13, 2], rungs: [4, 1] },
];

/** A file that is nested as deep as `random` says, up to 20,000 levels. */
export function nestDeeply(random: Random): Uint8Array {
  const { first, rungs } = random.pick(LADDERS);
  const levels = random.pick([60, 65, 70, 500, 5000, 20_000]);
  const fields = [...first, ...Array.from({ length: levels }, () => rungs).flat()];
  // From the inside out: each field holds all that was written before it.
  const reversed: number[] = [];
  for (const field of fields.reverse()) {
    const size = reversed.length;
    const length: number[] = [];
    let rest = size;
    for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
    length.push(rest);
    reversed.push(...length.reverse(), field * 8 + 2);
  }
  return Uint8Array.from(reversed.reverse());
}
