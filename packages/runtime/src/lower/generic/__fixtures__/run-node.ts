import type { Tensor } from '@neural-engine/core';
import { type Attributes, evaluateNode, Graph, inferShapes, type Node } from '@neural-engine/ir';
import { Model } from '../../../model';

/** One operator call. */
export interface NodeCase {
  readonly op: string;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly attributes?: Attributes;
  /** Outputs the node names; default 1. */
  readonly outputs?: number;
  /** Inputs that are constants of the model. */
  readonly constants?: readonly number[];
}

const nodeOf = ({ op, inputs, attributes = {}, outputs = 1 }: NodeCase): Node => ({
  name: 'node',
  op,
  inputs: inputs.map((tensor, i) => (tensor ? `x${i}` : '')),
  outputs: Array.from({ length: outputs }, (_, i) => `y${i}`),
  attributes,
});

/** A graph of the one node, its operands as inputs. */
export function graphOf(example: NodeCase): Graph {
  const graph = new Graph();
  const node = nodeOf(example);
  for (const [i, tensor] of example.inputs.entries()) {
    const constant = example.constants?.includes(i) ? { constant: tensor! } : {};
    if (tensor) graph.addValue({ name: `x${i}`, dtype: tensor.dtype, shape: tensor.dims, ...constant });
  }
  for (const name of node.outputs) graph.addValue({ name, dtype: 'f32', shape: undefined });
  graph.nodes = [node];
  graph.inputs = node.inputs.filter((name) => name && !graph.constant(name));
  graph.outputs = [...node.outputs];
  inferShapes(graph);
  return graph;
}

/** What the native steps compute. */
export async function runNode(example: NodeCase, threads = 1): Promise<Tensor[]> {
  const model = await Model.fromGraph(graphOf(example));
  await using session = await model.session({ threads });
  const feeds = Object.fromEntries(
    example.inputs.flatMap((tensor, i) => (tensor && !example.constants?.includes(i) ? [[`x${i}`, tensor]] : [])),
  );
  const results = await session.run(feeds);
  return model.outputs.map(({ name }) => results[name]!);
}

/** What the operator's schema computes in double precision. */
export const expected = (example: NodeCase): Tensor[] => evaluateNode(nodeOf(example), example.inputs)!;
