import { EngineError, type Shape, type Tensor } from '@neural-engine/core';
import { Graph } from '../graph';
import { attributesFromText } from './attributes';
import type { IrConfig, IrOperator, IrScalar } from './config';
import { dtypeFromFile } from './dtypes';
import { NATIVE, NATIVE_DOMAIN, SLOTS } from './from-graph';

/** The file was written by this project: every operator between Input and Output carries our domain. */
export function isNative(config: IrConfig): boolean {
  return (
    config.extra !== undefined &&
    config.operators.every(
      ({ type, attributes }) => type === 'Input' || type === 'Output' || attributes?.get(NATIVE)?.text === NATIVE_DOMAIN,
    )
  );
}

/**
 * The graph of a file in our own operators.
 *
 * @throws {EngineError} E_IR a node reads a tensor that is not there, or is no valid node; E_UNSUPPORTED an unknown operator.
 */
export function nativeToGraph(config: IrConfig, constants: ReadonlyMap<string, Tensor>): Graph {
  const graph = new Graph(config.name);
  const shapes = config.extra!.shapes;
  for (const operator of config.operators) {
    if (operator.type === 'Output') {
      graph.outputs = [...operator.inputs];
      continue;
    }
    for (const { name, dtype, shape, location } of operator.outputs) {
      const constant = location ? constants.get(name) : undefined;
      const known: Shape | undefined = constant?.dims ?? symbols(shapes.get(name)) ?? shape;
      graph.addValue({ name, dtype: dtypeFromFile(dtype ?? 'fp32', name), shape: known, ...(constant ? { constant } : {}) });
      if (operator.type === 'Input' && !location) graph.inputs.push(name);
    }
    if (operator.type === 'Input') continue;
    graph.nodes.push(toNode(operator));
  }
  for (const node of graph.nodes) for (const input of node.inputs) requireValue(graph, input, node.name);
  for (const output of graph.outputs) requireValue(graph, output, 'output_data');
  return graph;
}

const symbols = (dims: readonly string[] | undefined): Shape | undefined =>
  dims?.map((dim) => (dim === '?' ? null : /^\d+$/.test(dim) ? Number(dim) : dim));

function requireValue(graph: Graph, name: string, node: string): void {
  if (name && !graph.values.has(name))
    throw new EngineError('E_IR', 'ir', `operator "${node}" reads "${name}", which nothing makes`, { where: node });
}

function toNode({ name, type, inputs, outputs, attributes }: IrOperator): Graph['nodes'][number] {
  const texts = new Map(attributes);
  const slots = takeIndices(texts, SLOTS, name);
  const places = takeIndices(texts, 'outputs', name);
  texts.delete(NATIVE);
  const pick = (indices: readonly number[] | undefined, from: readonly string[]): string[] => {
    if (!indices) return [...from];
    if (indices.some((index) => index >= from.length))
      throw new EngineError('E_IR', 'ir', `operator "${name}": a slot names an input that is not there`, { where: name });
    return indices.map((index) => (index < 0 ? '' : from[index]!));
  };
  const made = outputs.map((output) => output.name);
  let next = 0;
  return {
    name,
    op: type,
    inputs: pick(slots, inputs),
    outputs: places ? places.map((place) => (place < 0 ? '' : (made[next++] ?? ''))) : made,
    attributes: attributesFromText(type, texts, name),
  };
}

function takeIndices(texts: Map<string, IrScalar>, key: string, where: string): number[] | undefined {
  const text = texts.get(key)?.text;
  if (text === undefined) return undefined;
  texts.delete(key);
  const indices = text.split(',').map(Number);
  if (!indices.every((index) => Number.isInteger(index) && index >= -1))
    throw new EngineError('E_IR', 'ir', `operator "${where}": "${key}" must be a list of positions`, { where });
  return indices;
}
