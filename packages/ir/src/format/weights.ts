import { constants } from 'node:buffer';
import { createHash, type Hash } from 'node:crypto';
import { EngineError } from '@neural-engine/core';
import { type OpenFile, readRange } from './open-file';

/** The bytes of model.bin. A file is read range by range, because no array holds more than 4 GiB. */
export interface Weights {
  readonly byteLength: number;
  /** Bytes from `offset` on, which lie within. @throws {EngineError} E_IO, E_LIMIT. */
  read(offset: number, length: number): Uint8Array;
}

export const weightsInMemory = (bytes: Uint8Array): Weights => ({
  byteLength: bytes.byteLength,
  read: (offset, length) => bytes.subarray(offset, offset + length),
});

export const weightsInFile = (file: OpenFile): Weights => ({
  byteLength: file.size,
  read: (offset, length) => {
    if (length > constants.MAX_LENGTH)
      throw new EngineError('E_LIMIT', 'ir', `a constant of ${length} bytes is above the ${constants.MAX_LENGTH} that an array holds`);
    return readRange(file, offset, length);
  },
});

/** What one call of a hash takes. */
const PIECE_BYTES = 2 ** 30;

/** Adds bytes of any length to a hash. */
export function updateHash(hash: Hash, bytes: Uint8Array, pieceBytes = PIECE_BYTES): void {
  for (let at = 0; at < bytes.byteLength; at += pieceBytes) hash.update(bytes.subarray(at, at + pieceBytes));
}

const HASHED_BYTES = 2 ** 24;

/** SHA-256 of the weights, in hexadecimal. */
export function digestOf(weights: Weights): string {
  const hash = createHash('sha256');
  for (let at = 0; at < weights.byteLength; at += HASHED_BYTES)
    hash.update(weights.read(at, Math.min(HASHED_BYTES, weights.byteLength - at)));
  return hash.digest('hex');
}
