import { EngineError, type ErrorCode } from '@neural-engine/core';
import { expect } from 'vitest';

/** Runs `action`, which must throw an EngineError of this code, and returns it. */
export function refusal(code: ErrorCode, action: () => unknown): EngineError {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
  }
  return expectRefusal(code, thrown);
}

/** The same for promises. */
export async function asyncRefusal(code: ErrorCode, promise: Promise<unknown>): Promise<EngineError> {
  return promise.then(
    () => expectRefusal(code, undefined),
    (error: unknown) => expectRefusal(code, error),
  );
}

function expectRefusal(code: ErrorCode, thrown: unknown): EngineError {
  if (!EngineError.isInstance(thrown)) {
    throw new Error(`expected ${code}, got ${thrown === undefined ? 'no error' : (thrown as Error).stack}`);
  }
  expect(`${thrown.code} ${thrown.message}`).toMatch(new RegExp(`^${code} `));
  return thrown;
}
