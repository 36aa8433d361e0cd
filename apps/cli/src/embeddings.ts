import { EngineError } from '@neural-engine/core';
import type { LoadOptions } from '@neural-engine/engine';

/** The load option that `--embeddings` means. @throws {EngineError} E_USAGE another word than f32 or int8. */
export function embeddingsOf(flag: string | undefined): Pick<LoadOptions, 'embeddings'> {
  if (flag === undefined || flag === 'f32') return {};
  if (flag === 'int8') return { embeddings: 'int8' };
  throw new EngineError('E_USAGE', 'usage', `--embeddings ${flag}: expected f32 or int8`);
}
