import type { Tensor } from '@neural-engine/core';
import { type Graph, inferNode, type Node } from '@neural-engine/ir';
import { KnownValues } from '../facts/known-values';
import { MAX_CHAIN, type PositionRows, positionRows, takeRows } from '../facts/position-rows';
import { sameShape } from '../facts/shape-facts';
import { integersOf } from '../facts/tensor-facts';
import { GraphIndex, type Pass, type PassContext } from '../rewrite';

/**
 * word[ids] + position[0 … S] + types[token types], summed in any order  →  Embeddings.
 *
 * ids s64 or s32 [B, S], tables f32 [V, H], [P, H], [T, H] → f32 [B, S, H]. Positions may be a slice or a gather of counted positions, or a
 * constant; token types that are 0 throughout become row 0 of their table.
 */
export const fuseEmbeddings: Pass = {
  name: 'fuse-embeddings',
  summary: 'the sum of word, position and token-type rows becomes Embeddings',
  run: (graph, context) => new EmbeddingFusion(graph, context).run(),
};

/** Words, positions and token types. */
const MAX_SUMMANDS = 3;

/** One summand: a gather of rows by token, or rows that depend on the position alone. */
type Term =
  | { readonly kind: 'rows'; readonly table: string; readonly ids: string }
  | { readonly kind: 'first'; readonly table: string }
  | { readonly kind: 'positions'; readonly rows: PositionRows };

class EmbeddingFusion {
  private readonly graph: Graph;
  private readonly index: GraphIndex;
  private readonly known: KnownValues;

  constructor(
    private readonly source: Graph,
    private readonly context: PassContext,
  ) {
    this.graph = source.clone();
    this.index = new GraphIndex(this.graph);
    this.known = new KnownValues(source);
  }

  run(): Graph {
    const nodes: Node[] = [];
    for (const node of this.graph.nodes) {
      const made = !this.index.isDead(node) && node.op === 'Add' && this.isWholeSum(node) ? this.visit(node) : undefined;
      nodes.push(...(made ?? [node]));
    }
    if (this.context.log.hits === 0) return this.source;
    this.graph.nodes = nodes;
    this.index.prune();
    return this.graph;
  }

  /** The last sum of a chain. */
  private isWholeSum(node: Node): boolean {
    const output = node.outputs[0]!;
    const readers = this.index.readersOf(output);
    return this.index.isOutput(output) || readers.length !== 1 || readers[0]!.op !== 'Add';
  }

  private visit(root: Node): Node[] | undefined {
    const sum = this.collect(root);
    if (!sum) return undefined;
    const { summands, inside } = sum;
    const terms = summands.map((name) => this.termOf(name));
    const rows = terms.filter((term) => term?.kind === 'rows');
    if (rows.length === 0) return undefined;
    const problem = this.obstacle(root, terms);
    if (problem) {
      this.context.log.declined(root, problem);
      return undefined;
    }
    return this.build(root, terms as Term[], [...inside, root]);
  }

  private obstacle(root: Node, terms: readonly (Term | undefined)[]): string | undefined {
    if (terms.some((term) => term === undefined)) return 'a summand is neither a gather of rows nor rows by position';
    const count = (kind: Term['kind']): number => terms.filter((term) => term?.kind === kind).length;
    if (count('rows') > 2 || count('positions') > 1 || count('rows') + count('first') > 2) return 'there are several tables of one kind';
    const words = this.wordTerm(terms as Term[]);
    const ids = this.graph.value(words.ids).shape;
    const hidden = this.graph.value(words.table).shape![1]!;
    if (ids?.length !== 2 || !sameShape(this.graph.value(root.outputs[0]!).shape, [...ids, hidden]))
      return 'the sum is not [batch, sequence, hidden]';
    for (const term of terms as Term[]) {
      if (term.kind === 'positions') {
        if (term.rows.length !== ids[1]) return 'positions are not counted over the sequence of the ids';
      } else if (this.graph.value(term.table).shape![1] !== hidden) {
        return 'the tables differ in width';
      } else if (term.kind === 'rows' && !sameShape(this.graph.value(term.ids).shape, ids)) {
        return 'two gathers of rows take ids of different shapes';
      }
    }
    return undefined;
  }

  /** Of two gathers the one with more rows. */
  private wordTerm(terms: readonly Term[]): Term & { kind: 'rows' } {
    const rows = terms.filter((term) => term.kind === 'rows');
    const size = (term: Term & { kind: 'rows' }): number => Number(this.graph.value(term.table).shape![0]);
    return rows.reduce((most, term) => (size(term) > size(most) ? term : most));
  }

  private build(root: Node, terms: readonly Term[], covered: readonly Node[]): Node[] {
    const words = this.wordTerm(terms);
    const types = terms.find((term): term is Term & { kind: 'rows' | 'first' } => term !== words && term.kind !== 'positions');
    const positions = terms.find((term) => term.kind === 'positions');
    const table = positions ? this.positionTable(positions.rows) : '';
    const node: Node = {
      name: root.name,
      op: 'Embeddings',
      inputs: [words.ids, words.table, table, types?.kind === 'rows' ? types.ids : '', types?.table ?? ''],
      outputs: [...root.outputs],
      attributes: {},
    };
    while (node.inputs.at(-1) === '') node.inputs.pop();
    inferNode(node, (name) => this.graph.value(name));
    this.index.replace(root, node);
    this.context.log.hit(root, covered, [node]);
    return [node];
  }

  private positionTable(rows: PositionRows): string {
    if (rows.table && rows.order === undefined) return rows.table;
    const source: Tensor = rows.table ? this.graph.constant(rows.table)! : rows.tensor!;
    return this.graph.addConstant(rows.table ?? 'position_table', takeRows(source, rows.order));
  }

  /** The summands of nested sums whose intermediate results nobody else reads; undefined where there are more than tables. */
  private collect(root: Node): { summands: string[]; inside: Node[] } | undefined {
    const summands: string[] = [];
    const inside: Node[] = [];
    const open = [...root.inputs].reverse();
    for (let input = open.pop(); input !== undefined; input = open.pop()) {
      const producer = this.index.producer(input);
      if (producer?.op === 'Add' && this.index.readersOf(input).length === 1 && !this.index.isOutput(input)) {
        inside.push(producer);
        open.push(...[...producer.inputs].reverse());
      } else {
        summands.push(input);
      }
      if (summands.length > MAX_SUMMANDS || inside.length >= MAX_SUMMANDS) return undefined;
    }
    return { summands, inside };
  }

  private termOf(name: string): Term | undefined {
    if (this.graph.value(name).dtype !== 'f32') return undefined;
    const node = this.index.producer(name);
    const [table = '', ids = ''] = node?.op === 'Gather' && Number(node.attributes['axis'] ?? 0) === 0 ? node.inputs : [];
    const isGather = table !== '' && this.graph.value(table).shape?.length === 2 && this.isTable(table);
    if (isGather && this.isZero(ids)) return { kind: 'first', table };
    const positions = positionRows(name, this.source, (value) => this.index.producer(value), this.known);
    if (positions) return { kind: 'positions', rows: positions };
    return isGather && !this.graph.constant(ids) ? { kind: 'rows', table, ids } : undefined;
  }

  private isTable(name: string): boolean {
    return this.graph.constant(name) !== undefined || this.index.producer(name)?.op === 'DequantizeLinear';
  }

  /** Ids that are 0 throughout, however they are shaped. */
  private isZero(name: string, depth = 0): boolean {
    const constant = this.graph.constant(name);
    if (constant) return integersOf(constant)?.every((id) => id === 0) ?? false;
    const node = this.index.producer(name);
    if (node?.op === 'ConstantOfShape') {
      const value = node.attributes['value'];
      return typeof value === 'object' && 'data' in value && value.dtype !== 'f32' && Number(value.data[0]) === 0;
    }
    return (
      ['Expand', 'Slice', 'Reshape', 'Unsqueeze', 'Cast', 'GatherElements', 'Gather'].includes(node?.op ?? '') &&
      depth < MAX_CHAIN &&
      this.isZero(node!.inputs[0]!, depth + 1)
    );
  }
}
