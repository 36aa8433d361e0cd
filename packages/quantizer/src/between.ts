import type { Graph, Node } from '@neural-engine/ir';
import type { Selection } from './select';

/** What values between products are kept in. */
export const BETWEEN = ['fp32', 'bf16'] as const;
export type Between = (typeof BETWEEN)[number];

const SLOT = { x: 0, residual: 3 } as const;

/**
 * The residual stream: results of LayerNorm and of products that a LayerNorm or a residual sum reads, and beside them nobody but
 * LayerNorms, residual sums and quantised products. Outputs of the model are none, nor what attention or other arithmetic reads.
 *
 * @param graph  Before anything in it is quantised.
 */
export function valuesBetween(graph: Graph, { products, halves }: Pick<Selection, 'products' | 'halves'>): string[] {
  const consumers = graph.consumers();
  const slots = (reader: Node, name: string): number[] => [...reader.inputs.keys()].filter((slot) => reader.inputs[slot] === name);
  const isReal = (reader: Node, slot: number): boolean =>
    (reader.op === 'LayerNorm' && slot === SLOT.x) || (reader.op === 'InnerProduct' && slot === SLOT.residual);
  const isCoded = (reader: Node, slot: number): boolean => slot === SLOT.x && (products.has(reader) || halves.has(reader));
  return graph.nodes
    .filter(({ op }) => op === 'LayerNorm' || op === 'InnerProduct')
    .map((node) => node.outputs[0]!)
    .filter((name) => {
      const reads = (consumers.get(name) ?? []).flatMap((reader) => slots(reader, name).map((slot) => [reader, slot] as const));
      return (
        !graph.outputs.includes(name) &&
        reads.some(([reader, slot]) => isReal(reader, slot)) &&
        reads.every(([reader, slot]) => isReal(reader, slot) || isCoded(reader, slot))
      );
    });
}

/** Rounds {@link valuesBetween} to bf16, in place: the residual stream then takes half the memory. */
export function roundBetween(graph: Graph, selection: Selection): void {
  const producers = graph.producers();
  for (const name of valuesBetween(graph, selection)) {
    const node = producers.get(name)!;
    node.attributes = { ...node.attributes, rounding: 'bf16' };
  }
}
