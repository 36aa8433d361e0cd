import type { CompileOptions } from '@neural-engine/compiler';
import { EngineError } from '@neural-engine/core';

/** `--rounding` of each command that compiles. */
export const ROUNDING_OPTION = [
  '--rounding <name>',
  'of a Q/DQ file, fused: only what products multiply is rounded; file: every value where the file rounds it (default: "fused")',
] as const;

/** @throws {EngineError} E_USAGE neither of the two. */
export function roundingOf(text: string | undefined): Pick<CompileOptions, 'rounding'> {
  if (text === undefined) return {};
  if (text === 'fused' || text === 'file') return { rounding: text };
  throw new EngineError('E_USAGE', 'usage', `--rounding ${text}: expected fused or file`);
}
