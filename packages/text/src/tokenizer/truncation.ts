import { EngineError } from '@neural-engine/core';

/**
 * How many tokens of each text stay when both together may have `room`: tokens leave the longer text until both are equally
 * long, then both in turn.
 * @param second undefined for a single text.
 */
export function longestFirst(first: number, second: number | undefined, room: number): { first: number; second: number } {
  if (second === undefined) return { first: Math.min(first, room), second: 0 };
  if (first + second <= room) return { first, second };
  const shorter = Math.min(first, second);
  let kept = { shorter, longer: Math.max(shorter, room - shorter) };
  if (shorter > room || kept.shorter + kept.longer > room) kept = { shorter: Math.floor(room / 2), longer: Math.ceil(room / 2) };
  return first <= second ? { first: kept.shorter, second: kept.longer } : { first: kept.longer, second: kept.shorter };
}

/** A stretch of tokens, `[from, to)`. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

/** Windows of at most `room` tokens over `count` tokens, each sharing `overlap` with the one before; at least one. */
export function windowsOf(count: number, room: number, overlap: number): Window[] {
  const windows: Window[] = [{ from: 0, to: Math.min(room, count) }];
  for (let from = room - overlap; windows.at(-1)!.to < count; from += room - overlap) {
    windows.push({ from, to: Math.min(from + room, count) });
  }
  return windows;
}

/** @throws {EngineError} E_USAGE `value` is no integer of at least `least`. */
export function requireInteger(value: number, name: string, least: number, why = ''): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new EngineError('E_USAGE', 'text', `${name} is ${value}, expected an integer of at least ${least}${why}`, { where: name });
  }
}
