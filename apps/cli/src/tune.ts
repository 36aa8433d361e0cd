import { EngineError } from '@neural-engine/core';
import type { LoadOptions } from '@neural-engine/engine';

/** The flag, for commands that measure or print choices of kernels: the arguments of `option`. Others have `NE_TUNE`. */
export const TUNE_OPTION = [
  '--tune <switch>',
  'on, or off: measure no kernels where the cost model sees a tie, so that the same are chosen each time; default: NE_TUNE, else on',
] as const;

/** The load option that `--tune` means. @throws {EngineError} E_USAGE another word than on or off. */
export function tuneOf(flag: string | undefined): Pick<LoadOptions, 'tune'> {
  if (flag === undefined) return {};
  if (flag === 'on' || flag === 'off') return { tune: flag };
  throw new EngineError('E_USAGE', 'usage', `--tune ${flag}: expected on or off`);
}
