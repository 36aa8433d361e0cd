import { EngineError } from '@neural-engine/core';

/**
 * How many tokens of each text stay when both together may have `room`: tokens leave the longer text until both are equally
 * long, then both in turn; an odd token goes to the longer.
 * @param second undefined for a single text.
 */
export function longestFirst(first: number, second: number | undefined, room: number): { first: number; second: number } {
  if (second === undefined) return { first: Math.min(first, room), second: 0 };
  if (first + second <= room) return { first, second };
  const halves = { less: Math.floor(room / 2), more: Math.ceil(room / 2) };
  const shorter = Math.min(first, second);
  const kept = shorter <= halves.less ? { less: shorter, more: room - shorter } : halves;
  return first <= second ? { first: kept.less, second: kept.more } : { first: kept.more, second: kept.less };
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
