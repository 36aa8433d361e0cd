import { isUtf8 } from 'node:buffer';
import { EngineError, type Limits } from '@neural-engine/core';
import { ATTRIBUTE_INT_COST, BYTES_COST, FIXED_COST, FLOAT_COST, messageCost, stringCost, VARINT32_COST, VARINT64_COST } from './cost';
import { Cursor, parseError } from './cursor';
import { type FieldLayout, layoutOf, type MessageLayout, type WireKind } from './schema';

const WIRE_TYPES: Record<WireKind, number> = { varint: 0, fixed64: 1, string: 2, bytes: 2, message: 2, fixed32: 5 };
const WIRE_NAMES = ['varint', 'fixed64', 'length-delimited', 'group', 'end of group', 'fixed32'];

/** Fields whose count is a rank. */
const DIMENSION_FIELDS = new Set(['TensorProto.dims', 'SparseTensorProto.dims', 'TensorShapeProto.dim']);
/** Text that is no name, so that the limit on names does not hold for it. */
const FREE_TEXT = new Set(['StringStringEntryProto.value']);
/** Repeated varints that cost other than a boxed 64-bit integer. */
const VARINT_COSTS = new Map([
  ['TensorProto.int32_data', VARINT32_COST],
  ['AttributeProto.ints', ATTRIBUTE_INT_COST],
]);

function limitError(offset: number, problem: string): never {
  throw new EngineError('E_LIMIT', 'parse', `byte ${offset}: ${problem}`, { where: `byte ${offset}` });
}

/** Counts, while walking the bytes, what decoding them would create. */
class Scanner {
  private readonly cursor: Cursor;
  private readonly costLimit: number;
  private cost = 0;
  private nodes = 0;
  private tensors = 0;
  private graphDepth = -1;
  private typeDepth = -1;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly limits: Limits,
  ) {
    this.cursor = new Cursor(bytes);
    this.costLimit = limits.decodedFactor * bytes.byteLength + limits.decodedSlackBytes;
    this.cost = bytes.byteLength + FIXED_COST;
  }

  /** Walks one message up to `end`. */
  message(layout: MessageLayout, end: number): void {
    const { cursor } = this;
    let rank = 0;
    this.enter(layout);
    while (cursor.position < end) {
      const start = cursor.position;
      const tag = cursor.tag(end);
      const field = layout.fields[tag >>> 3];
      if (field === undefined) {
        this.unknown(tag, end, start);
        continue;
      }
      const count = this.field(field, tag & 7, end, start);
      if (DIMENSION_FIELDS.has(field.path) && (rank += count) > this.limits.rank) {
        limitError(start, `${layout.name} has a rank above the limit of ${this.limits.rank}`);
      }
    }
    this.leave(layout);
  }

  private enter(layout: MessageLayout): void {
    const { limits, cursor } = this;
    this.spend(messageCost(layout.name));
    if (layout.name === 'NodeProto' && ++this.nodes > limits.nodes) {
      limitError(cursor.position, `more nodes than the limit of ${limits.nodes}`);
    }
    if (layout.name === 'TensorProto' && ++this.tensors > limits.initializers) {
      limitError(cursor.position, `more tensors than the limit of ${limits.initializers}`);
    }
    if (layout.name === 'GraphProto' && ++this.graphDepth > limits.nesting) {
      limitError(cursor.position, `subgraphs are nested deeper than the limit of ${limits.nesting}`);
    }
    if (layout.name === 'TypeProto' && ++this.typeDepth > limits.nesting) {
      limitError(cursor.position, `types are nested deeper than the limit of ${limits.nesting}`);
    }
  }

  private leave(layout: MessageLayout): void {
    if (layout.name === 'GraphProto') this.graphDepth--;
    if (layout.name === 'TypeProto') this.typeDepth--;
  }

  private spend(bytes: number): void {
    this.cost += bytes;
    if (this.cost > this.costLimit) {
      limitError(
        this.cursor.position,
        `the decoded model would need more memory than the limit of ${this.limits.decodedFactor} × ${this.bytes.byteLength} + ${this.limits.decodedSlackBytes} bytes`,
      );
    }
  }

  /** Walks one known field and returns how many elements it holds. */
  private field(field: FieldLayout, wireType: number, end: number, start: number): number {
    const { cursor } = this;
    const expected = WIRE_TYPES[field.kind];
    if (wireType !== expected) {
      if (wireType === 2 && field.repeated && expected !== 2) return this.packed(field, end);
      parseError(start, `${field.path} is stored as ${WIRE_NAMES[wireType] ?? `wire type ${wireType}`}, expected ${WIRE_NAMES[expected]}`);
    }
    switch (field.kind) {
      case 'varint':
        cursor.skipVarint(end);
        this.spend(field.repeated ? this.varintCost(field) : VARINT64_COST);
        return 1;
      case 'fixed32':
        cursor.skip(4, end, field.path);
        this.spend(FLOAT_COST);
        return 1;
      case 'fixed64':
        cursor.skip(8, end, field.path);
        this.spend(FLOAT_COST);
        return 1;
      case 'string':
        this.text(field, cursor.length(end, field.path));
        return 1;
      case 'bytes':
        cursor.skipDelimited(end, field.path);
        this.spend(BYTES_COST);
        return 1;
      case 'message': {
        const inner = cursor.length(end, field.path);
        this.message(field.message!, cursor.position + inner);
        return 1;
      }
    }
  }

  private varintCost(field: FieldLayout): number {
    return VARINT_COSTS.get(field.path) ?? VARINT64_COST;
  }

  private packed(field: FieldLayout, end: number): number {
    const { cursor, bytes } = this;
    const length = cursor.length(end, field.path);
    const stop = cursor.position + length;
    if (field.kind !== 'varint') {
      const size = field.kind === 'fixed32' ? 4 : 8;
      if (length % size !== 0) parseError(cursor.position, `${field.path} has ${length} bytes, no whole number of elements`);
      cursor.position = stop;
      this.spend((length / size) * FLOAT_COST);
      return length / size;
    }
    let count = 0;
    let run = 0;
    for (let at = cursor.position; at < stop; at++) {
      if (bytes[at]! < 0x80) {
        count++;
        run = 0;
      } else if (++run === 10) parseError(at - 9, `a varint in ${field.path} is longer than 10 bytes`);
    }
    if (run > 0) parseError(stop - run, `the last varint of ${field.path} is cut off`);
    cursor.position = stop;
    this.spend(count * this.varintCost(field));
    return count;
  }

  private text(field: FieldLayout, length: number): void {
    const { cursor, bytes } = this;
    const start = cursor.position;
    const stop = start + length;
    cursor.position = stop;
    this.spend(stringCost(length));
    if (length > this.limits.nameBytes && !FREE_TEXT.has(field.path)) {
      limitError(start, `${field.path} has ${length} bytes, the limit for names is ${this.limits.nameBytes}`);
    }
    for (let at = start; at < stop; at++) {
      if (bytes[at]! >= 0x80) {
        if (!isUtf8(bytes.subarray(start, stop))) parseError(start, `${field.path} is not valid UTF-8`);
        return;
      }
    }
  }

  /** Moves past a field that the schema does not have; groups may nest, and only these. */
  private unknown(tag: number, end: number, start: number): void {
    const { cursor } = this;
    const open: number[] = [];
    let current = tag;
    let at = start;
    for (;;) {
      switch (current & 7) {
        case 0:
          cursor.skipVarint(end);
          break;
        case 1:
          cursor.skip(8, end, 'an unknown field');
          break;
        case 2:
          cursor.skipDelimited(end, 'an unknown field');
          break;
        case 3:
          open.push(current >>> 3);
          if (open.length > this.limits.nesting) limitError(at, `groups are nested deeper than the limit of ${this.limits.nesting}`);
          break;
        case 4:
          if (open.pop() !== current >>> 3) parseError(at, 'the end of a group that was not open');
          break;
        case 5:
          cursor.skip(4, end, 'an unknown field');
          break;
        default:
          parseError(at, `wire type ${current & 7}`);
      }
      if (open.length === 0) return;
      if (cursor.position >= end) parseError(cursor.position, 'a group is not closed');
      at = cursor.position;
      current = cursor.tag(end);
    }
  }
}

/**
 * Proves, without creating an object for anything in it, that `bytes` are well-formed protobuf of the schema and that
 * decoding them stays within the limits.
 *
 * @throws {EngineError} E_PARSE wrong wire types, field number 0, lengths past the end, bad varints, names that are not
 *   UTF-8; E_LIMIT nesting, counts, ranks, names or memory. Both name the byte.
 */
export function scan(bytes: Uint8Array, root: 'ModelProto' | 'TensorProto', limits: Limits): void {
  if (bytes.byteLength > limits.onnxBytes) limitError(0, `${bytes.byteLength} bytes are above the limit of ${limits.onnxBytes}`);
  new Scanner(bytes, limits).message(layoutOf(root), bytes.byteLength);
}
