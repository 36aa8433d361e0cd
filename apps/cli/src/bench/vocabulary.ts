import type { LoadedModel } from '@neural-engine/engine';

/** Rows of the word table, so that random ids are valid; 1000 where there is none. */
export function vocabularyOf(model: LoadedModel): number {
  const { nodes, tables } = model.runtime.prepared;
  for (const node of nodes) if (node.kind === 'panel' && node.op.op === 'embed') return tables.get(node.op.word)!.dims[0]!;
  return 1000;
}
