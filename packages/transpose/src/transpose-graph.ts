import { EngineError } from '@neural-engine/core';
import { type Graph, verifyGraph } from '@neural-engine/ir';
import { DEFAULT_THRESHOLD } from '@neural-engine/sparsity';
import { LayoutAssignment } from './assign-layouts';
import { chooseProduct } from './choose-products';
import type { TransposeDecision } from './decision';
import { insertReorders } from './insert-reorders';
import { NameList } from './name-list';
import { transposeWeights } from './transpose-weights';

export interface TransposeOptions {
  /** Share of zero 4x1 blocks from which a product is transposed, 0 to 1. Default 0.7, the original's rule. */
  readonly threshold?: number;
  /** Products to transpose however many zeros they have; `*` stands for any characters. */
  readonly include?: readonly string[];
  /** Products to leave alone; stronger than `include`. */
  readonly exclude?: readonly string[];
}

export interface TransposeResult {
  readonly graph: Graph;
  /** One for each product, attention, normalisation and change of code, in the order of the graph. */
  readonly decisions: readonly TransposeDecision[];
}

/**
 * Turns the sparse int8 products of a graph into W·Xᵀ, as the original's exporter does: their weights are stored [out, in], their
 * surroundings are marked `layout: 'transposed'`, and Reorder nodes stand where the layouts meet.
 *
 * The graph computes the same. Nothing is timed, so the same graph gives the same result on every machine. A graph that holds a Reorder
 * is transposed already and is returned as it is, and so is one in which nothing qualifies; the argument is never changed.
 *
 * @throws {EngineError} E_USAGE the threshold is no share, or a name in a list fits no product.
 */
export function transposeGraph(source: Graph, options: TransposeOptions = {}): TransposeResult {
  const rules = readOptions(source, options);
  if (source.nodes.some((node) => node.op === 'Reorder')) return { graph: source, decisions: [] };
  const graph = source.clone();
  const choices = new Map(graph.nodes.flatMap((node) => (node.op === 'InnerProduct' ? [[node, chooseProduct(graph, node, rules)]] : [])));
  const products = new Set([...choices].flatMap(([node, { layout }]) => (layout === 'transposed' ? [node] : [])));
  const layouts = new LayoutAssignment(graph, products);
  const decisions = inOrder(graph, [...choices.values(), ...layouts.decisions]);
  if (products.size === 0) return { graph: source, decisions };
  transposeWeights(graph, products);
  for (const node of graph.nodes) if (layouts.of(node) === 'transposed') node.attributes = { ...node.attributes, layout: 'transposed' };
  insertReorders(graph, layouts);
  verifyGraph(graph, { code: 'E_INTERNAL' });
  return { graph, decisions };
}

function readOptions(graph: Graph, options: TransposeOptions): { threshold: number; include: NameList; exclude: NameList } {
  const { threshold = DEFAULT_THRESHOLD } = options;
  if (!(threshold >= 0 && threshold <= 1))
    throw new EngineError('E_USAGE', 'transpose', `threshold ${threshold}: expected a share from 0 to 1`, { where: 'threshold' });
  const products = graph.nodes.filter((node) => node.op === 'InnerProduct').map((node) => node.name);
  const list = (title: 'include' | 'exclude'): NameList => {
    const names = new NameList(title, options[title] ?? []);
    names.check(products);
    return names;
  };
  return { threshold, include: list('include'), exclude: list('exclude') };
}

function inOrder(graph: Graph, decisions: readonly TransposeDecision[]): TransposeDecision[] {
  const byName = new Map(decisions.map((decision) => [decision.node, decision]));
  return graph.nodes.flatMap((node) => byName.get(node.name) ?? []);
}
