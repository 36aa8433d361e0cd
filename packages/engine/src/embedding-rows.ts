import type { Graph } from '@neural-engine/ir';

/** What models call the input that token ids come in. */
const TOKEN_IDS = 'input_ids';

/** Rows of the table that token ids are looked up in; undefined where the graph has none whose size is known. */
export function embeddingRows(graph: Graph): number | undefined {
  if (!graph.inputs.includes(TOKEN_IDS)) return undefined;
  const tables = graph.nodes.flatMap(({ op, inputs, attributes }) => {
    if (op === 'Embeddings' && inputs[0] === TOKEN_IDS) return [inputs[1]!];
    return op === 'Gather' && inputs[1] === TOKEN_IDS && (attributes['axis'] ?? 0) === 0 ? [inputs[0]!] : [];
  });
  const rows = tables.map((name) => graph.value(name).shape?.[0]).filter((dim) => typeof dim === 'number');
  return rows.length > 0 ? Math.min(...rows) : undefined;
}
