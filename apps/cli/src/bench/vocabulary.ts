import type { LoadedModel } from '@neural-engine/engine';

/** Rows of the word table, so that random ids are valid; 1000 where there is none. */
export const vocabularyOf = (model: LoadedModel): number => model.vocabularySize ?? 1000;
