import type { Graph, Node } from '@neural-engine/ir';

/**
 * Stores the weights of products as [out, in]. A constant keeps its name where every reader wants it so; one that others read as it is
 * gets a transposed copy.
 */
export function transposeWeights(graph: Graph, products: Iterable<Node>): void {
  const chosen = new Set([...products].filter((node) => node.attributes['transposed'] !== true));
  const consumers = graph.consumers();
  const made = new Map<string, string>();
  for (const node of chosen) {
    const name = node.inputs[1]!;
    if (!made.has(name))
      made.set(
        name,
        transposeConstant(
          graph,
          name,
          (consumers.get(name) ?? []).every((reader) => chosen.has(reader)),
        ),
      );
    node.inputs[1] = made.get(name)!;
    node.attributes = { ...node.attributes, transposed: true };
  }
}

function transposeConstant(graph: Graph, name: string, keepName: boolean): string {
  const value = graph.value(name);
  const { dtype, dims, data } = value.constant!;
  const [rows, columns] = dims as [number, number];
  const turned = data.slice();
  for (let row = 0, at = 0; row < rows; row++)
    for (let column = 0; column < columns; column++, at++) turned[column * rows + row] = data[at]!;
  const constant = { dtype, dims: [columns, rows], data: turned };
  if (!keepName || graph.outputs.includes(name)) return graph.addConstant(`${name}_transposed`, constant);
  value.constant = constant;
  value.shape = constant.dims;
  return name;
}
