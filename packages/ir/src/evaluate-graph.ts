import { EngineError, type Tensor } from '@neural-engine/core';
import type { Graph } from './graph';
import { evaluateNode, nodeError } from './infer-node';

export interface EvaluateGraphOptions {
  /** Results of more bytes than this are refused. */
  readonly limitBytes?: number;
}

/**
 * The exact values of a graph for given inputs, operator by operator in double precision: the reference that fast paths are compared
 * with. Slow; for tests and tools.
 *
 * @param feeds  A tensor for every graph input.
 * @returns Every value of the graph by name, constants and intermediate ones included.
 * @throws {EngineError} E_REQUEST a missing input; E_UNSUPPORTED an operator without an exact evaluation; what its operators throw.
 */
export function evaluateGraph(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  options: EvaluateGraphOptions = {},
): Map<string, Tensor> {
  const found = new Map<string, Tensor>();
  for (const { name, constant } of graph.values.values()) if (constant) found.set(name, constant);
  for (const name of graph.inputs) {
    const tensor = Object.hasOwn(feeds, name) ? feeds[name] : undefined;
    if (!tensor) throw new EngineError('E_REQUEST', 'run', `input "${name}" is missing`, { where: name });
    found.set(name, tensor);
  }
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => (name ? found.get(name) : undefined));
    const results = evaluateNode(node, inputs, { stage: 'run', limitMacs: Number.POSITIVE_INFINITY, ...options });
    if (!results) throw nodeError(node, 'E_UNSUPPORTED', 'run', 'it has no exact evaluation');
    for (const [i, name] of node.outputs.entries()) if (name && results[i]) found.set(name, results[i]);
  }
  return found;
}
