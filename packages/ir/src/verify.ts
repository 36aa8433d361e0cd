import { EngineError, type ErrorCode, elementCount, formatShape, LIMITS, type Shape, type Stage, sameDims } from '@neural-engine/core';
import { checkAttributes, checkOperands, slotAt } from './check-node';
import { unifyDims } from './dims';
import type { Graph, Node, Value } from './graph';
import { inferNode, nodeError } from './infer-node';
import type { KnownValue } from './schema';
import { schemaOf } from './schemas/index';

export interface VerifyOptions {
  /** What a fault is: of the engine itself (`E_INTERNAL`, after a pass), of a model file or of an IR file. */
  readonly code?: Extract<ErrorCode, 'E_INTERNAL' | 'E_MODEL' | 'E_IR'>;
  readonly stage?: Stage;
}

/**
 * Checks that a graph is whole.
 *
 * Names are unique; every value that is read is an input, a constant or made by an earlier node; every output is made; operands and
 * attributes are what the schemas ask for; dtypes and shapes of the values are those that the operators give.
 *
 * @throws {EngineError} `code` naming the node or value; E_UNSUPPORTED listing every operator that the engine does not have; E_LIMIT.
 */
export function verifyGraph(graph: Graph, { code = 'E_INTERNAL', stage = 'compile' }: VerifyOptions = {}): void {
  const fail = (where: string, message: string): never => {
    throw new EngineError(code, stage, message, { where });
  };
  if (graph.nodes.length > LIMITS.nodes)
    throw new EngineError('E_LIMIT', stage, `${graph.nodes.length} nodes are above the limit of ${LIMITS.nodes}`);
  for (const [name, value] of graph.values) verifyValue(name, value, fail);
  const ready = verifySources(graph, fail);
  refuseUnknown(graph, stage);
  const names = new Set<string>();
  for (const node of graph.nodes) {
    if (names.has(node.name)) fail(node.name, `two nodes are named "${node.name}"`);
    names.add(node.name);
    verifyNode(graph, node, ready, code, stage);
  }
  for (const name of graph.outputs) if (!ready.has(name)) fail(name, `output "${name}" is not made by any node`);
  if (new Set(graph.outputs).size !== graph.outputs.length) fail(graph.name, 'an output is listed twice');
}

function verifyValue(name: string, value: Value, fail: (where: string, message: string) => never): void {
  if (name === '' || name !== value.name) fail(name, `value "${value.name}" is filed under "${name}"`);
  if (value.shape && value.shape.length > LIMITS.rank) {
    throw new EngineError('E_LIMIT', 'check', `value "${name}" has rank ${value.shape.length}, above the limit of ${LIMITS.rank}`, {
      where: name,
    });
  }
  for (const dim of value.shape ?? []) {
    if (typeof dim === 'number' && !(Number.isSafeInteger(dim) && dim >= 0)) fail(name, `value "${name}" has the dim ${dim}`);
  }
  const { constant } = value;
  if (!constant) return;
  if (constant.dtype !== value.dtype) fail(name, `constant "${name}" is ${constant.dtype}, its value ${value.dtype}`);
  if (constant.dtype !== 'string' && constant.data.length !== elementCount(constant.dims, name)) {
    fail(name, `constant "${name}" has ${constant.data.length} elements for ${formatShape(constant.dims)}`);
  }
  if (value.shape && !(value.shape.every((dim) => typeof dim === 'number') && sameDims(value.shape, constant.dims))) {
    fail(name, `constant "${name}" is ${formatShape(constant.dims)}, its value ${formatShape(value.shape)}`);
  }
}

/** The values that exist before the first node. */
function verifySources(graph: Graph, fail: (where: string, message: string) => never): Set<string> {
  const ready = new Set<string>();
  for (const value of graph.values.values()) if (value.constant) ready.add(value.name);
  for (const name of graph.inputs) {
    const value = graph.values.get(name) ?? fail(name, `input "${name}" is no value of the graph`);
    if (value.constant) fail(name, `input "${name}" is a constant`);
    if (ready.has(name)) fail(name, `input "${name}" is listed twice`);
    ready.add(name);
  }
  return ready;
}

function refuseUnknown(graph: Graph, stage: Stage): void {
  const unknown = graph.nodes.filter((node) => !schemaOf(node.op));
  if (unknown.length === 0) return;
  const nodes = unknown.map((node) => `node "${node.name}" (${node.op})`).join(', ');
  throw new EngineError('E_UNSUPPORTED', stage, `the engine has no such operators: ${nodes}`, { where: unknown[0]!.name });
}

function verifyNode(graph: Graph, node: Node, ready: Set<string>, code: ErrorCode, stage: Stage): void {
  const fail = (message: string): never => {
    throw nodeError(node, code, stage, message);
  };
  const schema = schemaOf(node.op)!;
  for (const name of node.inputs) {
    if (name === '' || ready.has(name)) continue;
    fail(graph.values.has(name) ? `input "${name}" is not made by any earlier node` : `input "${name}" is no value of the graph`);
  }
  checkAttributes(node, schema, fail);
  checkOperands(
    node,
    schema,
    node.inputs.map((name) => (name ? graph.value(name) : undefined)),
    fail,
  );
  const inferred = inferNode(node, (name) => graph.value(name), { stage, check: false });
  for (const [i, name] of node.outputs.entries()) {
    if (name === '') continue;
    const value = graph.values.get(name) ?? fail(`output "${name}" is no value of the graph`);
    if (ready.has(name)) fail(`output "${name}" is already an input, a constant or made by another node`);
    ready.add(name);
    const found = inferred[i] ?? fail(`output "${slotAt(schema.outputs, i)?.name ?? i}" is not made by the operator`);
    verifyOutput(value, found, fail);
  }
}

function verifyOutput(value: Value, found: KnownValue, fail: (message: string) => never): void {
  if (value.dtype !== found.dtype) fail(`output "${value.name}" is ${value.dtype}; the operator gives ${found.dtype}`);
  if (value.shape && found.shape && !agree(value.shape, found.shape)) {
    fail(`output "${value.name}" is ${formatShape(value.shape)}; the operator gives ${formatShape(found.shape)}`);
  }
}

/** Numbers must be equal; a symbol or an unknown agrees with anything, since one of both may know more. */
const agree = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((dim, i) => unifyDims(dim, b[i]!) !== undefined);
