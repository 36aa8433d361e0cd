import { describeNode } from '../decode/node';
import { quote } from '../errors';
import type { OnnxNode } from '../types';

/** Explains why `node` cannot see `input`: nothing makes it, it is made later, or it depends on the node itself. */
export function whyUndefined(node: OnnxNode, input: string, nodes: readonly OnnxNode[]): string {
  const makers = new Map<string, OnnxNode>();
  for (const each of nodes) for (const output of each.outputs) if (!makers.has(output)) makers.set(output, each);
  const maker = makers.get(input);
  if (maker === undefined) return `uses ${quote(input)}, which nothing makes`;
  const waiting = [maker];
  const seen = new Set(waiting);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next === node) return `uses ${quote(input)}, which depends on this node again: a cycle`;
    for (const name of next.inputs) {
      const before = makers.get(name);
      if (before === undefined || seen.has(before)) continue;
      seen.add(before);
      waiting.push(before);
    }
  }
  return `uses ${quote(input)}, which comes only later from ${describeNode(maker)}; ONNX wants nodes in topological order`;
}
