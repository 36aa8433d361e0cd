import type { Graph, Node } from '../../graph';

/** An attention operand or result in the codes in which the original multiplies. */
export interface PlannedOperand {
  readonly value: string;
  /** Names of min and max where it is 8-bit. */
  readonly range?: readonly [string, string];
}

/** How one Attention is split into the original's products. */
export interface AttentionPlan {
  readonly q: PlannedOperand;
  readonly k: PlannedOperand;
  readonly v: PlannedOperand;
  readonly y: PlannedOperand;
  /** The name of the second product. */
  readonly name: string;
}

/**
 * Plans for the attentions of a graph.
 *
 * The original multiplies 8-bit values and probabilities also where the scores are f32. That form reads as an f32 Attention between
 * Dequantize and Quantize; here it is put together again, and the two vanish into the product.
 */
export class AttentionPlans {
  private readonly plans = new Map<Node, AttentionPlan>();
  /** Nodes whose work an attention's products do. */
  readonly absorbed = new Set<Node>();

  constructor(private readonly graph: Graph) {
    const producers = graph.producers();
    const consumers = graph.consumers();
    const kept = new Set<Node>();
    for (const node of graph.nodes) {
      if (node.op !== 'Attention') continue;
      const dequantize = [0, 1, 2].map((slot) => {
        const producer = producers.get(node.inputs[slot]!);
        return producer?.op === 'Dequantize' && !producer.inputs[3] && sameLayout(producer, node) ? producer : undefined;
      });
      // The first product is 8-bit on both sides or on neither.
      const absorbed = [dequantize[1] && dequantize[0], dequantize[0] && dequantize[1], dequantize[2]];
      for (const found of dequantize) if (found && !absorbed.includes(found)) kept.add(found);
      for (const found of absorbed) if (found && !graph.outputs.includes(found.outputs[0]!)) this.absorbed.add(found);
      const [q, k, v] = absorbed.map((found, slot) => this.operand(node, slot, found)) as [PlannedOperand, PlannedOperand, PlannedOperand];
      this.plans.set(node, { q, k, v, ...this.result(node, v, consumers) });
    }
    // One that somebody else reads too cannot vanish.
    for (const node of this.absorbed) {
      const readers = node.op === 'Dequantize' ? (consumers.get(node.outputs[0]!) ?? []) : [];
      if (kept.has(node) || readers.some((reader) => reader.op !== 'Attention')) this.absorbed.delete(node);
    }
  }

  of(node: Node): AttentionPlan {
    return this.plans.get(node)!;
  }

  private operand(node: Node, slot: number, dequantize: Node | undefined): PlannedOperand {
    if (dequantize) return { value: dequantize.inputs[0]!, range: [dequantize.inputs[1]!, dequantize.inputs[2]!] };
    const value = node.inputs[slot]!;
    const isCode = this.graph.value(value).dtype === 's8';
    return { value, ...(isCode ? { range: [node.inputs[4 + 2 * slot]!, node.inputs[5 + 2 * slot]!] as const } : {}) };
  }

  private result(node: Node, v: PlannedOperand, consumers: ReadonlyMap<string, readonly Node[]>): Pick<AttentionPlan, 'y' | 'name'> {
    const value = node.outputs[0]!;
    if (node.attributes['output_dtype'] === 'u8') return { y: { value, range: [node.inputs[10]!, node.inputs[11]!] }, name: node.name };
    const [quantize, ...others] = consumers.get(value) ?? [];
    const fits = quantize?.op === 'Quantize' && (quantize.attributes['dtype'] ?? 'u8') === 'u8' && sameLayout(quantize, node);
    if (!v.range || !fits || others.length > 0 || this.graph.outputs.includes(value)) return { y: { value }, name: node.name };
    this.absorbed.add(quantize);
    return { y: { value: quantize.outputs[0]!, range: [quantize.inputs[1]!, quantize.inputs[2]!] }, name: quantize.name };
  }
}

const sameLayout = (a: Node, b: Node): boolean => (a.attributes['layout'] ?? 'plain') === (b.attributes['layout'] ?? 'plain');
