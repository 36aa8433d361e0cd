import { type EngineError, LIMITS } from '@neural-engine/core';
import { limitError, tokenizerError } from './vocabulary';

export type JsonObject = { readonly [key: string]: unknown };

/**
 * Parses JSON after a scan of its nesting, so that depth is refused before any object exists.
 * @throws {EngineError} E_LIMIT nested too deeply; E_TOKENIZER not JSON.
 */
export function parseJson(text: string, where: string): unknown {
  const depth = nestingOf(text);
  if (depth > LIMITS.jsonNesting) throw limitError(`${where}: nested ${depth} deep, the limit is ${LIMITS.jsonNesting}`, where);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw tokenizerError(`${where}: not valid JSON (${cause instanceof Error ? cause.message.slice(0, 120) : 'unreadable'})`, where, cause);
  }
}

/** Deepest nesting of brackets outside strings. */
function nestingOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (inString) {
      if (unit === 0x5c) i++;
      else if (unit === 0x22) inString = false;
    } else if (unit === 0x22) inString = true;
    else if (unit === 0x7b || unit === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (unit === 0x7d || unit === 0x5d) depth--;
  }
  return deepest;
}

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

const kindOf = (value: unknown): string =>
  value === null ? 'null' : value === undefined ? 'nothing' : Array.isArray(value) ? 'an array' : typeof value;

function mismatch(where: string, expected: string, value: unknown): EngineError {
  return tokenizerError(`${where}: expected ${expected}, found ${kindOf(value)}`, where);
}

export function objectAt(value: unknown, where: string): JsonObject {
  if (!isObject(value)) throw mismatch(where, 'an object', value);
  return value;
}

export function arrayAt(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw mismatch(where, 'an array', value);
  return value;
}

export function stringAt(value: unknown, where: string): string {
  if (typeof value !== 'string') throw mismatch(where, 'a string', value);
  return value;
}

/** An integer in `[least, most]`, or `fallback` where absent or null. */
export function integerAt(value: unknown, where: string, least: number, most: number, fallback?: number): number {
  if ((value === undefined || value === null) && fallback !== undefined) return fallback;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    throw tokenizerError(
      `${where}: expected an integer from ${least} to ${most}, found ${typeof value === 'number' ? value : kindOf(value)}`,
      where,
    );
  }
  return value;
}

/** A boolean, or `fallback` where absent or null. */
export function booleanAt(value: unknown, where: string, fallback: boolean): boolean {
  if (value === undefined || value === null) return fallback;
  if (typeof value !== 'boolean') throw mismatch(where, 'true or false', value);
  return value;
}
