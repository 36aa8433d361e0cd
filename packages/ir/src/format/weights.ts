import { constants } from 'node:buffer';
import { createHash, type Hash } from 'node:crypto';
import { EngineError } from '@neural-engine/core';
import { type OpenFile, readInto } from './open-file';

/** The bytes of model.bin. A file is read range by range, because no array holds more than 4 GiB. */
export interface Weights {
  readonly byteLength: number;
  /** Bytes from `offset` on, which lie within. @throws {EngineError} E_IO, E_LIMIT. */
  read(offset: number, length: number): Uint8Array;
  /** All of them in order. A piece holds until the next one is asked for. */
  pieces(): Iterable<Uint8Array>;
}

export const weightsInMemory = (bytes: Uint8Array): Weights => ({
  byteLength: bytes.byteLength,
  read: (offset, length) => bytes.subarray(offset, offset + length),
  pieces: () => [bytes],
});

export const weightsInFile = (file: OpenFile): Weights => ({
  byteLength: file.size,
  read: (offset, length) => {
    if (length > constants.MAX_LENGTH)
      throw new EngineError('E_LIMIT', 'ir', `a constant of ${length} bytes is above the ${constants.MAX_LENGTH} that an array holds`);
    return readInto(new Uint8Array(length), file, offset);
  },
  *pieces() {
    // One piece after the other in the same place, which stays in the cache.
    const buffer = new Uint8Array(2 ** 18);
    for (let at = 0; at < file.size; at += buffer.length) yield readInto(buffer.subarray(0, file.size - at), file, at);
  },
});

/** What one call of a hash takes. */
const PIECE_BYTES = 2 ** 30;

/** Adds bytes of any length to a hash. */
export function updateHash(hash: Hash, bytes: Uint8Array, pieceBytes = PIECE_BYTES): void {
  for (let at = 0; at < bytes.byteLength; at += pieceBytes) hash.update(bytes.subarray(at, at + pieceBytes));
}

/** SHA-256 of the weights, in hexadecimal. */
export function digestOf(weights: Weights): string {
  const hash = createHash('sha256');
  for (const piece of weights.pieces()) updateHash(hash, piece);
  return hash.digest('hex');
}
