import type { Graph, Node } from '@neural-engine/ir';
import type { Layout, TransposeDecision } from './decision';

/** Slots of the schemas. */
const RESIDUAL = 3;
const RECODES = new Set(['Quantize', 'Dequantize']);

/**
 * Chooses the layout of everything around the products that were chosen, so that few Reorders are needed.
 *
 * - Attention is transposed where the products of its query, key and value and all products that read its result are.
 * - Quantize and Dequantize follow their readers, so that the Reorder of several products stands once, in front; behind attention they
 *   follow it, since its product gives codes at once.
 * - LayerNorm is transposed between transposed products; the last one before a plain head stays plain.
 *
 * Everything else reads and writes tokens-first.
 */
export class LayoutAssignment {
  private readonly layouts = new Map<Node, Layout>();
  private readonly producers: ReadonlyMap<string, Node>;
  private readonly consumers: ReadonlyMap<string, readonly Node[]>;
  readonly decisions: TransposeDecision[] = [];

  constructor(
    private readonly graph: Graph,
    products: ReadonlySet<Node>,
  ) {
    this.producers = graph.producers();
    this.consumers = graph.consumers();
    for (const node of products) this.layouts.set(node, 'transposed');
    for (const node of graph.nodes) if (node.op === 'Attention') this.assignAttention(node);
    // Readers come before what they read, since Quantize and LayerNorm follow them.
    for (const node of [...graph.nodes].reverse()) {
      if (RECODES.has(node.op)) this.assignRecode(node);
      else if (node.op === 'LayerNorm') this.assignLayerNorm(node);
    }
  }

  /** The layout in which a node keeps its activations. */
  of(node: Node | undefined): Layout {
    return (node && this.layouts.get(node)) ?? 'plain';
  }

  /** The layout in which a node wants to read an input. */
  wanted(node: Node, slot: number): Layout {
    const isActivation = node.op === 'InnerProduct' ? slot === 0 || slot === RESIDUAL : node.op === 'Attention' ? slot < 3 : slot === 0;
    return isActivation ? this.of(node) : 'plain';
  }

  /** The layouts in which a value is read; the caller of the graph reads plain ones. */
  private wantedOf(value: string): Set<Layout> {
    const found = new Set<Layout>(this.graph.outputs.includes(value) ? ['plain'] : []);
    for (const node of this.consumers.get(value) ?? [])
      for (const [slot, input] of node.inputs.entries()) if (input === value) found.add(this.wanted(node, slot));
    return found;
  }

  private assign(node: Node, layout: Layout, reason: string): void {
    if (layout === 'transposed') this.layouts.set(node, layout);
    this.decisions.push({ node: node.name, op: node.op, layout, reason });
  }

  private assignAttention(node: Node): void {
    const plain = ['query', 'key', 'value'].filter((_, slot) => this.of(this.source(node.inputs[slot]!)) === 'plain');
    if (plain.length === 1) this.assign(node, 'plain', `the product of its ${plain[0]} is plain`);
    else if (plain.length > 1) this.assign(node, 'plain', `the products of its ${plain.join(' and ')} are plain`);
    else if (!this.feedsTransposedOnly(node.outputs[0]!)) this.assign(node, 'plain', 'its result is read tokens-first');
    else this.assign(node, 'transposed', 'the products around it are transposed');
  }

  /** What computed a value, seen through changes of code. */
  private source(value: string): Node | undefined {
    const producer = this.producers.get(value);
    return producer && RECODES.has(producer.op) ? this.source(producer.inputs[0]!) : producer;
  }

  private feedsTransposedOnly(value: string): boolean {
    const readers = this.consumers.get(value) ?? [];
    if (this.graph.outputs.includes(value) || readers.length === 0) return false;
    return readers.every((reader) =>
      RECODES.has(reader.op)
        ? this.feedsTransposedOnly(reader.outputs[0]!)
        : reader.op === 'InnerProduct' && this.of(reader) === 'transposed',
    );
  }

  private assignRecode(node: Node): void {
    const maker = this.producers.get(node.inputs[0]!);
    if (maker?.op === 'Attention') {
      this.assign(node, this.of(maker), 'it codes the result of the attention before it');
      return;
    }
    const wanted = this.wantedOf(node.outputs[0]!);
    if (wanted.size === 1) {
      const [layout] = wanted as Set<Layout> & Iterable<Layout>;
      this.assign(node, layout!, `all that read it are ${layout}`);
      return;
    }
    const layout = this.reachable(node.inputs[0]!);
    this.assign(node, layout, `its readers differ, and what it reads is ${layout}`);
  }

  private assignLayerNorm(node: Node): void {
    const wanted = this.wantedOf(node.outputs[0]!);
    if (this.reachable(node.inputs[0]!) === 'plain') this.assign(node, 'plain', 'what it reads is plain');
    else if (!wanted.has('transposed')) this.assign(node, 'plain', 'all that read it are plain');
    else
      this.assign(node, 'transposed', wanted.has('plain') ? 'it stands behind a transposed product' : 'it stands between transposed nodes');
  }

  /** The layout a value has, or can have without a Reorder where its producer follows its readers. */
  private reachable(value: string): Layout {
    const producer = this.producers.get(value);
    if (producer && (RECODES.has(producer.op) || producer.op === 'LayerNorm')) return this.reachable(producer.inputs[0]!);
    return this.of(producer);
  }
}
