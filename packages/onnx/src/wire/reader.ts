import $protobuf from 'protobufjs/minimal.js';

/** Graph, node, attribute lie between one subgraph and the next; types and groups may be nested below the last. */
const MESSAGES_PER_LEVEL = 8;

/**
 * Decodes `bytes` with a generated `decode`.
 *
 * The codec's own limit on nesting is a global of the library and lower than what the pre-scan allows, so its count starts
 * below zero; by then {@link scan} has bounded the depth.
 */
export function decodeMessage<T>(decode: (reader: $protobuf.Reader, length?: number) => T, bytes: Uint8Array, nesting: number): T {
  // A plain Uint8Array even for a Buffer, so that tensors are views of the class that callers expect.
  const reader = new $protobuf.Reader(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  reader.discardUnknown = true;
  const withDepth = decode as (reader: $protobuf.Reader, length: undefined, end: undefined, depth: number) => T;
  return withDepth(reader, undefined, undefined, -MESSAGES_PER_LEVEL * (nesting + 1));
}
