import { EngineError } from '@neural-engine/core';
import type { LoadOptions } from '@neural-engine/engine';

/** The flag, for every command that runs a model: the arguments of `option`. */
export const EMBEDDINGS_OPTION = [
  '--embeddings <dtype>',
  'embedding tables: f32, or int8 with one scale a row: a quarter of the size',
  'f32',
] as const;

/** The load option that `--embeddings` means. @throws {EngineError} E_USAGE another word than f32 or int8. */
export function embeddingsOf(flag: string | undefined): Pick<LoadOptions, 'embeddings'> {
  if (flag === undefined || flag === 'f32') return {};
  if (flag === 'int8') return { embeddings: 'int8' };
  throw new EngineError('E_USAGE', 'usage', `--embeddings ${flag}: expected f32 or int8`);
}
