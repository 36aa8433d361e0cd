/** Defaults of every limit that guards the engine against hostile files. Functions that enforce one take an override. */
export const LIMITS = {
  /** protobuf's own bound for one message. */
  onnxBytes: 2 ** 31 - 1,
  /** Decoded objects may cost this many times the file's bytes, plus 64 MiB. */
  decodedFactor: 8,
  decodedSlackBytes: 64 * 2 ** 20,
  /** Nested subgraphs, types, YAML collections. */
  nesting: 64,
  jsonNesting: 100,
  nodes: 1_000_000,
  initializers: 1_000_000,
  nameBytes: 4096,
  rank: 16,
  /** All constant tensors of one model together. */
  weightBytes: 16 * 2 ** 30,
  foldedBytesPerNode: 64 * 2 ** 20,
  foldedBytesTotal: 512 * 2 ** 20,
  yamlBytes: 16 * 2 ** 20,
  /** Words, signs, spaces and line ends. A layer of an encoder has about 4000. */
  yamlTokens: 1_000_000,
  /** All activation buffers of one plan. */
  arenaBytes: 8 * 2 ** 30,
} as const;

export type Limits = { readonly [K in keyof typeof LIMITS]: number };
