import { fail } from './errors';
import type { Place } from './place';

/** A 64-bit integer as the codec hands it out. */
export interface Long64 {
  low: number;
  high: number;
  unsigned: boolean;
}

/** The exact value; the sign is the field's, as `unsigned` says. */
export function toBigInt(value: Long64): bigint {
  if (value.high === 0) return BigInt(value.low >>> 0);
  if (value.high === -1 && value.low < 0 && !value.unsigned) return BigInt(value.low);
  const bits = (BigInt(value.high >>> 0) << 32n) | BigInt(value.low >>> 0);
  return value.unsigned ? bits : BigInt.asIntN(64, bits);
}

/** The value as a number. @throws {EngineError} `code` when a number cannot hold it exactly. */
export function toSafeNumber(value: Long64, code: 'E_MODEL' | 'E_SHAPE', where: Place): number {
  const exact = value.high * 2 ** 32 + (value.low >>> 0);
  if (!Number.isSafeInteger(exact) || (value.unsigned && value.high < 0)) {
    fail(code, 'check', where, `${toBigInt(value)} is beyond the integers that can be handled exactly`);
  }
  return exact;
}

/** A bigint as the codec takes it; bits beyond 64 are an error. @throws {EngineError} E_MODEL out of range. */
export function fromBigInt(value: bigint, where: string | Place): Long64 {
  if (value < -(2n ** 63n) || value >= 2n ** 63n) fail('E_MODEL', 'save', where, `${value} does not fit in 64 bits`);
  return { low: Number(BigInt.asIntN(32, value)), high: Number(BigInt.asIntN(32, value >> 32n)), unsigned: false };
}
