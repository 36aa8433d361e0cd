import { EngineError } from '@neural-engine/core';

/** Throws an E_PARSE about a byte of the file. */
export function parseError(offset: number, problem: string): never {
  throw new EngineError('E_PARSE', 'parse', `byte ${offset}: ${problem}`, { where: `byte ${offset}` });
}

/** A reading position in protobuf bytes. Every read is bounded by `end`, which never lies past the bytes. */
export class Cursor {
  position = 0;

  constructor(readonly bytes: Uint8Array) {}

  /** Moves past a varint of at most 10 bytes. */
  skipVarint(end: number): void {
    const start = this.position;
    const last = Math.min(end, start + 10);
    while (this.position < last) {
      if (this.bytes[this.position++]! < 0x80) return;
    }
    parseError(start, this.position - start === 10 ? 'a varint is longer than 10 bytes' : 'a varint is cut off');
  }

  /** Reads a field tag: at most 5 bytes, 32 bits, and no field number 0. */
  tag(end: number): number {
    const start = this.position;
    const tag = this.varint32(end, 'a field tag');
    if (tag >>> 3 === 0) parseError(start, 'field number 0');
    return tag;
  }

  /** Reads a length and proves that so many bytes are left before `end`. */
  length(end: number, what: string): number {
    const start = this.position;
    const length = this.varint32(end, `the length of ${what}`);
    if (length > end - this.position) {
      parseError(start, `${what} claims ${length} bytes where ${end - this.position} are left`);
    }
    return length;
  }

  /** Moves past a length and the bytes it counts. */
  skipDelimited(end: number, what: string): void {
    const length = this.length(end, what);
    this.position += length;
  }

  /** Moves past `count` bytes. */
  skip(count: number, end: number, what: string): void {
    if (count > end - this.position) parseError(this.position, `${what} is cut off`);
    this.position += count;
  }

  private varint32(end: number, what: string): number {
    const start = this.position;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.position >= end) parseError(start, `${what} is cut off`);
      const byte = this.bytes[this.position++]!;
      if (shift === 28 && byte > 0x0f) break;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return parseError(start, `${what} does not fit in 32 bits`);
  }
}
