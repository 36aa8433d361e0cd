import { EngineError } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';

/** A graph with its producers and readers kept up to date while it is edited. */
export class GraphIndex {
  private readonly producers: Map<string, Node>;
  private readonly readers = new Map<string, Map<Node, number>>();
  private readonly dead = new Set<Node>();
  private readonly exposed: ReadonlySet<string>;
  private readonly nodeNames: Map<string, Node>;

  constructor(readonly graph: Graph) {
    this.producers = graph.producers();
    this.exposed = new Set(graph.outputs);
    this.nodeNames = new Map(graph.nodes.map((node) => [node.name, node]));
    for (const node of graph.nodes) this.countReads(node, 1);
  }

  producer(value: string): Node | undefined {
    return this.producers.get(value);
  }

  /** The nodes that read a value, each once. */
  readersOf(value: string): Node[] {
    return [...(this.readers.get(value)?.keys() ?? [])];
  }

  isOutput(value: string): boolean {
    return this.exposed.has(value);
  }

  isDead(node: Node): boolean {
    return this.dead.has(node);
  }

  /** `hint`, or the first of `hint_1`, `hint_2`, … that names no node. */
  freeNodeName(hint: string): string {
    let name = hint;
    for (let i = 1; this.nodeNames.has(name); i++) name = `${hint}_${i}`;
    return name;
  }

  /** Lets another node have the name of one that is about to go. */
  releaseName(node: Node): void {
    if (this.nodeNames.get(node.name) === node) this.nodeNames.delete(node.name);
  }

  /** Registers a node; where it stands in `graph.nodes` is the caller's business. */
  add(node: Node): void {
    for (const output of node.outputs) if (output) this.producers.set(output, node);
    this.nodeNames.set(node.name, node);
    this.countReads(node, 1);
  }

  /** Gives a node other operands; producers that nobody needs any more go. */
  setInputs(node: Node, inputs: string[]): void {
    const before = node.inputs;
    this.countReads(node, -1);
    node.inputs = inputs;
    this.countReads(node, 1);
    for (const input of before) {
      const producer = this.producers.get(input);
      if (producer && this.isUnused(producer)) this.remove(producer);
    }
  }

  /** Makes every reader of `from` read `to`. Graph outputs are the caller's business. */
  redirect(from: string, to: string): void {
    for (const [node, count] of this.readers.get(from) ?? []) {
      node.inputs = node.inputs.map((input) => (input === from ? to : input));
      const readers = this.readers.get(to) ?? new Map<Node, number>();
      readers.set(node, (readers.get(node) ?? 0) + count);
      this.readers.set(to, readers);
    }
    this.readers.delete(from);
  }

  /** Takes a node out, and whatever only it needed; the value `keep` counts as needed. */
  remove(node: Node, keep?: string): void {
    const work = [node];
    while (work.length > 0) {
      const next = work.pop()!;
      if (this.dead.has(next)) continue;
      this.dead.add(next);
      this.releaseName(next);
      this.countReads(next, -1);
      for (const output of next.outputs) if (this.producers.get(output) === next) this.producers.delete(output);
      for (const input of next.inputs) {
        const producer = this.producers.get(input);
        if (producer && !producer.outputs.includes(keep ?? '') && this.isUnused(producer)) work.push(producer);
      }
    }
  }

  /** Puts a node with the same results in the place of another. */
  replace(before: Node, after: Node): void {
    this.countReads(after, 1);
    this.remove(before);
    for (const output of after.outputs) this.producers.set(output, after);
    this.nodeNames.set(after.name, after);
  }

  /** Takes out a node whose results have become constants. */
  removeProducer(node: Node): void {
    for (const output of node.outputs) this.producers.delete(output);
    this.remove(node);
  }

  /** Renames a value that no node reads under its new name yet. */
  rename(from: string, to: string): void {
    const node = this.producers.get(from);
    if (!node) throw new EngineError('E_INTERNAL', 'compile', `value "${from}" has no producer to rename it at`, { where: from });
    node.outputs = node.outputs.map((output) => (output === from ? to : output));
    this.producers.delete(from);
    this.producers.set(to, node);
    this.redirect(from, to);
  }

  /** Drops dead nodes, and values that nothing makes or reads. */
  prune(): void {
    this.graph.nodes = this.graph.nodes.filter((node) => !this.dead.has(node));
    pruneValues(this.graph);
  }

  private isUnused(node: Node): boolean {
    return node.outputs.every((output) => !this.exposed.has(output) && !this.readers.get(output)?.size);
  }

  private countReads(node: Node, sign: 1 | -1): void {
    for (const input of node.inputs) {
      if (!input) continue;
      const readers = this.readers.get(input) ?? new Map<Node, number>();
      const count = (readers.get(node) ?? 0) + sign;
      if (count > 0) readers.set(node, count);
      else readers.delete(node);
      this.readers.set(input, readers);
    }
  }
}

/** Drops the values of a graph that nothing makes, reads, feeds or returns. */
export function pruneValues(graph: Graph): void {
  const used = new Set<string>([...graph.inputs, ...graph.outputs]);
  for (const node of graph.nodes) {
    for (const name of node.inputs) used.add(name);
    for (const name of node.outputs) used.add(name);
  }
  for (const name of [...graph.values.keys()]) if (!used.has(name)) graph.values.delete(name);
}
