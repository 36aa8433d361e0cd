import { type Dim, dtypeBytes } from '@neural-engine/core';
import { withDefaults } from '../check-node';
import { addDims } from '../dims';
import type { Graph, Value } from '../graph';
import { schemaOf } from '../schemas/index';

export interface OperatorCount {
  readonly op: string;
  readonly count: number;
  /** Multiply-accumulates of all these nodes; an expression where dims are symbols, null where shapes are unknown. */
  readonly macs: Dim;
}

export interface GraphSummary {
  readonly name: string;
  readonly inputs: readonly Readonly<Value>[];
  readonly outputs: readonly Readonly<Value>[];
  readonly nodes: number;
  /** Most frequent first. */
  readonly operators: readonly OperatorCount[];
  /** Elements of all floating-point and 8-bit constants that some node reads. */
  readonly parameters: number;
  readonly parameterBytes: number;
  /** Multiply-accumulates of one run: a number, or an expression such as `42467328*batch*seq`. */
  readonly macs: Dim;
}

const WEIGHTS = new Set(['f32', 'f64', 'f16', 'bf16', 'u8', 's8']);

/** Counts what a graph is made of. For costs with numbers, infer its shapes from an input without symbols before. */
export function summarize(graph: Graph): GraphSummary {
  const operators = new Map<string, { count: number; macs: Dim }>();
  let macs: Dim = 0;
  const shapeOf = (name: string) => (name ? graph.values.get(name)?.shape : undefined);
  for (const node of graph.nodes) {
    const schema = schemaOf(node.op);
    const own =
      schema?.macs?.(withDefaults(schema, node.attributes), node.inputs.map(shapeOf), node.outputs.map(shapeOf)) ??
      (schema?.macs ? null : 0);
    const entry = operators.get(node.op) ?? { count: 0, macs: 0 };
    operators.set(node.op, { count: entry.count + 1, macs: addDims(entry.macs, own) });
    macs = addDims(macs, own);
  }
  let parameters = 0;
  let parameterBytes = 0;
  const read = new Set(graph.nodes.flatMap((node) => node.inputs));
  for (const { name, constant } of graph.values.values()) {
    if (!constant || !read.has(name) || !WEIGHTS.has(constant.dtype)) continue;
    parameters += constant.data.length;
    parameterBytes += constant.data.length * dtypeBytes(constant.dtype);
  }
  return {
    name: graph.name,
    inputs: graph.inputs.map((name) => graph.value(name)),
    outputs: graph.outputs.map((name) => graph.value(name)),
    nodes: graph.nodes.length,
    operators: [...operators].map(([op, entry]) => ({ op, ...entry })).sort((a, b) => b.count - a.count || (a.op < b.op ? -1 : 1)),
    parameters,
    parameterBytes,
    macs,
  };
}
