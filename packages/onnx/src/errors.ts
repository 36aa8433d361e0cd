import { EngineError, type ErrorCode, type Stage } from '@neural-engine/core';
import type { Place } from './place';

/** Throws an EngineError about `where`; the message starts with it. */
export function fail(code: ErrorCode, stage: Stage, where: string | Place, problem: string, cause?: unknown): never {
  const place = String(where);
  throw new EngineError(code, stage, `${place}: ${problem}`, { where: place, ...(cause === undefined ? {} : { cause }) });
}

/** Quotes text from a file for an error message: control characters escaped, long text cut. */
export function quote(text: string): string {
  const short = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return JSON.stringify(short).replace(
    /[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
