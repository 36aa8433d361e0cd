import { EngineError, type ErrorCode, EXIT_CODES, type Stage } from '@neural-engine/core';

const isCode = (code: unknown): code is ErrorCode => typeof code === 'string' && Object.hasOwn(EXIT_CODES, code);

/** What native code threw, as an {@link EngineError}; anything without a known code is a bug of ours. */
export function toEngineError(error: unknown, stage: Stage): EngineError {
  if (EngineError.isInstance(error)) return error;
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const text = typeof message === 'string' ? message : String(error);
  // Node-API's own refusals of arguments (a string for a number) carry its status names.
  const argument = code === 'InvalidArg' || (typeof code === 'string' && code.endsWith('Expected'));
  return new EngineError(isCode(code) ? code : argument ? 'E_USAGE' : 'E_INTERNAL', stage, text);
}

/** Calls native code; what it throws becomes an {@link EngineError}. */
export function calling<T>(stage: Stage, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw toEngineError(error, stage);
  }
}
