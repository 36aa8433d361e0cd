import { layoutOf, type MessageLayout } from '../wire/schema';

/** One field of a parsed message; `value` is as the wire type says, or the fields of a nested message. */
export interface TreeField {
  number: number;
  wireType: number;
  value: bigint | Uint8Array | TreeField[];
  /** The type of the nested message, where `value` is one. */
  layout?: MessageLayout;
}

/** Parses a well-formed file into its fields, following the schema. @throws {RangeError} a field goes beyond its message. */
export function parseTree(bytes: Uint8Array, layout: MessageLayout = layoutOf('ModelProto')): TreeField[] {
  const fields: TreeField[] = [];
  let at = 0;
  // What stands inside groups belongs to no field of the schema.
  let groups = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError(`a number is cut off at byte ${bytes.byteLength}`);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.byteLength) {
    const tag = Number(varint());
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (wireType === 0) fields.push({ number, wireType, value: varint() });
    else if (wireType === 3 || wireType === 4) {
      groups += wireType === 3 ? 1 : -1;
      fields.push({ number, wireType, value: new Uint8Array(0) });
    } else {
      const size = wireType === 1 ? 8 : wireType === 5 ? 4 : Number(varint());
      if (size > bytes.byteLength - at) throw new RangeError(`field ${number} has ${size} bytes, ${bytes.byteLength - at} are left`);
      const content = bytes.subarray(at, (at += size));
      const message = wireType === 2 && groups === 0 ? layout.fields[number]?.message : undefined;
      fields.push(
        message === undefined
          ? { number, wireType, value: content }
          : { number, wireType, value: parseTree(content, message), layout: message },
      );
    }
  }
  return fields;
}

function pushVarint(out: number[], value: bigint): void {
  let rest = BigInt.asUintN(64, value);
  for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  out.push(Number(rest));
}

/** The bytes of fields, with every length right. */
export function serializeTree(fields: readonly TreeField[]): number[] {
  const out: number[] = [];
  for (const { number, wireType, value } of fields) {
    pushVarint(out, BigInt(number * 8 + wireType));
    if (typeof value === 'bigint') {
      pushVarint(out, value);
      continue;
    }
    const content = Array.isArray(value) ? serializeTree(value) : value;
    if (wireType === 2) pushVarint(out, BigInt(content.length));
    for (const byte of content) out.push(byte);
  }
  return out;
}
