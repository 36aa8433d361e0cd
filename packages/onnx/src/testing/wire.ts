/** Builds protobuf bytes by hand, so that tests can write what no encoder would. */

const encoder = new TextEncoder();

export type Part = Uint8Array | string;

const toBytes = (part: Part): Uint8Array => (typeof part === 'string' ? encoder.encode(part) : part);

export function concat(...parts: Part[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts.map(toBytes)));
}

/** A varint; negative values take ten bytes, as protobuf writes them. */
export function varint(value: number | bigint): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

export const tag = (field: number, wireType: number): Uint8Array => varint(field * 8 + wireType);

/** A varint field. */
export const int = (field: number, value: number | bigint): Uint8Array => concat(tag(field, 0), varint(value));

/** A length-delimited field: text, bytes, a message, packed numbers. */
export const len = (field: number, ...parts: Part[]): Uint8Array => {
  const payload = concat(...parts);
  return concat(tag(field, 2), varint(payload.byteLength), payload);
};

/** A 32-bit float field. */
export const f32 = (field: number, value: number): Uint8Array => concat(tag(field, 5), new Uint8Array(Float32Array.of(value).buffer));

export function repeat(part: Part, count: number): Uint8Array {
  const bytes = toBytes(part);
  return new Uint8Array(Buffer.alloc(bytes.byteLength * count, bytes));
}

/** Messages of the ONNX schema from fields made by hand. */
export const wire = {
  /** ir_version 8, opset 17, and a graph. */
  model: (...graph: Part[]): Uint8Array => concat(int(1, 8), len(7, ...graph), len(8, int(2, 17))),
  node: (opType: string, inputs: string[], outputs: string[], ...rest: Part[]): Uint8Array =>
    len(1, ...inputs.map((name) => len(1, name)), ...outputs.map((name) => len(2, name)), len(4, opType), ...rest),
  attribute: (name: string, type: number, ...value: Part[]): Uint8Array => len(5, len(1, name), int(20, type), ...value),
  /** An f32 value with numbers, names and unknowns as dimensions. */
  value: (field: 11 | 12 | 13, name: string, dims: (number | bigint | string | null)[] = []): Uint8Array => {
    const dim = (size: number | bigint | string | null) =>
      len(1, size === null ? '' : typeof size === 'string' ? len(2, size) : int(1, size));
    return len(field, len(1, name), len(2, len(1, int(1, 1), len(2, ...dims.map(dim)))));
  },
  /** The fields of a tensor. */
  tensor: (name: string, dataType: number, dims: (number | bigint)[], ...data: Part[]): Uint8Array =>
    concat(...dims.map((dim) => int(1, dim)), int(2, dataType), name === '' ? '' : len(8, name), ...data),
  initializer: (name: string, dataType: number, dims: (number | bigint)[], ...data: Part[]): Uint8Array =>
    len(5, wire.tensor(name, dataType, dims, ...data)),
  /** An external_data field of a tensor, with data_location set. */
  external: (entries: Record<string, string>): Uint8Array =>
    concat(...Object.entries(entries).map(([key, value]) => len(13, len(1, key), len(2, value))), int(14, 1)),
};

/** X → Relu → Y. */
export const reluGraph: readonly Uint8Array[] = [
  wire.node('Relu', ['X'], ['Y']),
  len(2, 'g'),
  wire.value(11, 'X', ['n']),
  wire.value(12, 'Y', ['n']),
];

/** The graph above with more fields. */
export const reluModel = (...more: Part[]): Uint8Array => wire.model(...reluGraph, ...more);
