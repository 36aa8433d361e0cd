/** Where in the life of a model an error arose. */
export type Stage =
  | 'usage'
  | 'read'
  | 'parse'
  | 'check'
  | 'import'
  | 'compile'
  | 'ir'
  | 'quantize'
  | 'transpose'
  | 'load'
  | 'plan'
  | 'run'
  | 'text'
  | 'evaluate'
  | 'save';

/** Every code an {@link EngineError} can carry, with the exit code a command-line tool ends with (sysexits). */
export const EXIT_CODES = {
  E_USAGE: 2,
  E_NOT_FOUND: 66,
  E_PARSE: 65,
  E_LIMIT: 65,
  E_MODEL: 65,
  E_SHAPE: 65,
  E_SPARSE: 65,
  E_QUANT: 65,
  E_TOKENIZER: 65,
  E_DATASET: 65,
  E_IR: 65,
  E_IR_MISMATCH: 65,
  E_PATH: 77,
  E_UNSUPPORTED: 69,
  E_ISA: 69,
  E_REQUEST: 65,
  E_OVERLOAD: 75,
  E_DRAINING: 75,
  E_DEADLINE: 75,
  E_LOCKED: 75,
  E_IO: 74,
  E_SPACE: 74,
  E_CANTCREAT: 73,
  E_SHM: 74,
  E_ABORTED: 130,
  E_INTERNAL: 70,
} as const;

export type ErrorCode = keyof typeof EXIT_CODES;

export interface EngineErrorOptions {
  /** The node, tensor, argument or file position the error is about. */
  where?: string;
  cause?: unknown;
}

const MARKER = Symbol.for('neural-engine.error');

/**
 * The one error class of the engine. Anything else that is thrown is a bug and keeps its stack.
 *
 * The message names the offending item, what was expected and what came; it never holds addresses or paths the caller did not give.
 */
export class EngineError extends Error {
  readonly code: ErrorCode;
  readonly stage: Stage;
  readonly where: string | undefined;
  readonly [MARKER] = true;

  constructor(code: ErrorCode, stage: Stage, message: string, options: EngineErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'EngineError';
    this.code = code;
    this.stage = stage;
    this.where = options.where;
  }

  /** True for an EngineError of any copy of this package. */
  static isInstance(value: unknown): value is EngineError {
    return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[MARKER] === true;
  }

  toJSON(): { code: ErrorCode; stage: Stage; message: string; where?: string } {
    return { code: this.code, stage: this.stage, message: this.message, ...(this.where === undefined ? {} : { where: this.where }) };
  }
}

/** For conditions that only a mistake in the engine itself can break. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new EngineError('E_INTERNAL', 'run', message);
}

/** Names `value` when a switch over a union missed a case. */
export function unreachable(value: never): never {
  throw new EngineError('E_INTERNAL', 'run', `unhandled case ${String(value)}`);
}
