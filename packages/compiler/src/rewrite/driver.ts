import { EngineError } from '@neural-engine/core';
import type { Graph, Node, Value } from '@neural-engine/ir';
import { GraphIndex } from './graph-index';
import { findMatch, type Match } from './match';
import { carryRange, type PassContext } from './pass';
import { type AnyPattern, rootTypes } from './pattern';
import { Declined, Replacement } from './replacement';

/** A rewrite as the driver sees it, without the types of its captures. */
export interface AnyRewrite {
  readonly name: string;
  readonly pattern: AnyPattern;
  replace(captures: Record<string, Value>, graph: Replacement, context: PassContext): Value | Declined | undefined;
}

/** Sweeps over the graph until nothing changes. A rule set that needs more than this undoes its own work. */
const MAX_SWEEPS = 64;

/**
 * Applies one rewrite to a copy of `graph` until nothing changes any more.
 *
 * Visits nodes in order. A match is refused, and reported, where a value inside it is a graph output or has readers outside.
 * The replacement stands where the matched root stood, and its result keeps the root's name.
 *
 * @throws {EngineError} E_INTERNAL the rewrite does not come to rest.
 */
export function applyRewrite(rewrite: AnyRewrite, graph: Graph, context: PassContext): Graph {
  const roots = rootTypes(rewrite.pattern);
  const isRoot = (node: Node): boolean => roots === undefined || roots.has(node.op);
  if (!graph.nodes.some(isRoot)) return graph;

  const index = new GraphIndex(graph.clone());
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    let changed = false;
    const next: Node[] = [];
    for (const node of index.graph.nodes) {
      if (index.isDead(node)) continue;
      const added = isRoot(node) ? tryAt(rewrite, node, index, context) : undefined;
      if (added) {
        changed = true;
        next.push(...added);
      } else {
        next.push(node);
      }
    }
    index.graph.nodes = next;
    if (!changed) {
      index.prune();
      return index.graph;
    }
    index.prune();
  }
  throw new EngineError('E_INTERNAL', 'compile', `pass ${rewrite.name} still finds work after ${MAX_SWEEPS} sweeps`, {
    where: rewrite.name,
  });
}

/** The nodes that take the place of `root`, or undefined where the rewrite does not apply. */
function tryAt(rewrite: AnyRewrite, root: Node, index: GraphIndex, context: PassContext): Node[] | undefined {
  const output = root.outputs[0];
  if (!output) return undefined;
  let added: Node[] | undefined;
  const reasons = new Set<string>();
  findMatch(rewrite.pattern, output, index, (match) => {
    if (match.nodes[0] !== root) return false;
    const obstacle = findObstacle(match, index);
    if (obstacle) {
      reasons.add(obstacle);
      return false;
    }
    const replacement = new Replacement(root, index);
    const captures: Record<string, Value> = {};
    for (const [name, value] of match.captures) captures[name] = index.graph.value(value);
    const result = rewrite.replace(captures, replacement, context);
    if (result === undefined || result instanceof Declined) {
      replacement.discard();
      if (result) reasons.add(result.reason);
      return false;
    }
    const committed = replacement.commit(result);
    if (committed instanceof Declined) {
      replacement.discard();
      reasons.add(committed.reason);
      return false;
    }
    carryRange(context.ranges, output, result.name);
    added = committed;
    context.log.hit(root, match.nodes, added);
    return true;
  });
  if (!added) for (const reason of reasons) context.log.declined(root, reason);
  return added;
}

/** Why the match must not be taken: a value inside it that somebody else needs. */
function findObstacle(match: Match, index: GraphIndex): string | undefined {
  const inside = new Set(match.nodes);
  for (const node of match.nodes) {
    const isRoot = node === match.nodes[0];
    for (const [position, output] of node.outputs.entries()) {
      if (!output || (isRoot && position === 0) || match.shared.has(node)) continue;
      if (index.isOutput(output)) return `"${output}" inside the match is a graph output`;
      const reader = index.readersOf(output).find((candidate) => !inside.has(candidate));
      if (reader) return `"${output}" inside the match is also read by ${reader.op} "${reader.name}"`;
    }
  }
  return undefined;
}
