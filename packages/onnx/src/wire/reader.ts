import $protobuf from 'protobufjs/minimal.js';

/**
 * The arguments with which a generated `decode` reads `bytes`.
 *
 * The last one is where the codec starts to count nesting. Its own limit is a global of the library and lower than what
 * the pre-scan allows, so the count starts below zero instead: by then the scan has bounded the depth.
 */
export function messageReader(bytes: Uint8Array): [reader: $protobuf.Reader] {
  // A plain Uint8Array even for a Buffer, so that tensors are views of the class that callers expect.
  const reader = new $protobuf.Reader(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  reader.discardUnknown = true;
  const args: unknown[] = [reader, undefined, undefined, -4096];
  return args as [reader: $protobuf.Reader];
}
