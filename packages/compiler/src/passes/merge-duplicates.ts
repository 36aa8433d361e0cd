import { bytesOf } from '@neural-engine/core';
import type { Attributes, Graph, Node, Value } from '@neural-engine/ir';
import { carryRange, GraphIndex, type Pass } from '../rewrite';

/** Constants up to this many bytes are compared by content; larger ones are told apart by name. */
const COMPARED_BYTES = 4096;

/** Operators whose result is not decided by their operands. */
const IMPURE = new Set(['RandomNormal', 'RandomNormalLike', 'RandomUniform', 'RandomUniformLike', 'Bernoulli', 'Multinomial', 'Dropout']);

/** Two nodes with the same operator, attributes and operands  →  one (common subexpressions). */
export const mergeDuplicates: Pass = {
  name: 'merge-duplicates',
  summary: 'equal computations on equal operands are done once',
  run: (graph, { log, ranges }) => {
    const index = new GraphIndex(graph.clone());
    const keys = new OperandKeys(index.graph);
    const first = new Map<string, Node>();
    for (const node of index.graph.nodes) {
      if (IMPURE.has(node.op)) continue;
      const key = nodeKey(node, keys);
      const twin = first.get(key);
      if (!twin) {
        first.set(key, node);
        continue;
      }
      if (node.outputs.length !== twin.outputs.length || node.outputs.some((output) => index.isOutput(output))) continue;
      node.outputs.forEach((output, i) => {
        if (!output || !twin.outputs[i]) return;
        index.redirect(output, twin.outputs[i]!);
        carryRange(ranges, output, twin.outputs[i]!);
      });
      if (node.outputs.some((output) => output && index.readersOf(output).length > 0)) continue;
      index.remove(node);
      log.hit(node);
    }
    if (log.hits === 0) return graph;
    index.prune();
    return index.graph;
  },
};

/** Text that is equal for operands that hold the same. */
class OperandKeys {
  private readonly keys = new Map<string, string>();

  constructor(private readonly graph: Graph) {}

  of(name: string): string {
    const value = name ? this.graph.value(name) : undefined;
    if (!value?.constant || value.constant.data.byteLength > COMPARED_BYTES) return `%${name}`;
    const known = this.keys.get(name);
    if (known) return known;
    const key = constantKey(value);
    this.keys.set(name, key);
    return key;
  }
}

const constantKey = ({ dtype, constant }: Value): string =>
  `#${dtype}[${constant!.dims}]${Buffer.from(bytesOf(constant!.data)).toString('base64')}`;

const nodeKey = (node: Node, keys: OperandKeys): string =>
  `${node.op}\n${attributesKey(node.attributes)}\n${node.outputs.length}\n${node.inputs.map((name) => keys.of(name)).join('\n')}`;

function attributesKey(attributes: Attributes): string {
  return JSON.stringify(
    Object.entries(attributes)
      .filter(([, value]) => value !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [
        name,
        typeof value === 'object' && 'data' in value
          ? constantKey({ name, dtype: value.dtype, shape: value.dims, constant: value })
          : value,
      ]),
  );
}
