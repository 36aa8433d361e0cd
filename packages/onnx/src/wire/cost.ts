/**
 * What decoded objects cost in memory, in bytes: the codec's object and ours together, because both exist for a moment,
 * with the table space that Maps and arrays keep in reserve. Upper bounds of measurements on Node 20 (64 bits); the test
 * beside this file holds them against the real growth of a process.
 */
const MESSAGE_BYTES = new Map<string, number>([
  ['NodeProto', 1000],
  ['AttributeProto', 700],
  ['TensorProto', 1700],
  ['SparseTensorProto', 900],
  ['GraphProto', 2000],
  ['FunctionProto', 2500],
  ['ValueInfoProto', 600],
  ['TypeProto', 400],
  ['TrainingInfoProto', 1000],
]);

const OTHER_MESSAGE_BYTES = 520;

export const messageCost = (name: string): number => MESSAGE_BYTES.get(name) ?? OTHER_MESSAGE_BYTES;

/** A view of the file's bytes. */
export const BYTES_COST = 250;

/** A string of `length` bytes, and its place in an array. */
export const stringCost = (length: number): number => 100 + 3 * length;

/** One element of a repeated number: a boxed 64-bit integer; a number in an array that grew by halves. */
export const VARINT64_COST = 150;
/** One integer of an attribute, which becomes a bigint as well. */
export const ATTRIBUTE_INT_COST = 220;
export const VARINT32_COST = 28;
export const FLOAT_COST = 20;

/** What decoding needs whatever it decodes: compiled code, and garbage that is not collected yet. */
export const FIXED_COST = 10 * 2 ** 20;
