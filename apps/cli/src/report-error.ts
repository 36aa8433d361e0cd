import { EngineError, EXIT_CODES } from '@neural-engine/core';

/** Prints an error the way the command line does, and says which exit code it means. */
export function reportError(error: unknown, { json = false, debug = false } = {}): number {
  if (error instanceof Error && error.name === 'AbortError') return 130;
  if (EngineError.isInstance(error)) {
    process.stderr.write(json ? `${JSON.stringify({ error })}\n` : `error[${error.code}] ${error.stage}: ${clean(error.message)}\n`);
    if (debug) process.stderr.write(`${error.stack}\n`);
    return EXIT_CODES[error.code];
  }
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(
    json ? `${JSON.stringify({ error: { code: 'E_INTERNAL', message } })}\n` : `error[E_INTERNAL] this is a bug: ${clean(message)}\n`,
  );
  if (error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return EXIT_CODES.E_INTERNAL;
}

// Names from a hostile model must not move the cursor or change colours.
const clean = (text: string): string =>
  text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
