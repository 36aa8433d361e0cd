import { bytesOf, type Tensor } from '@neural-engine/core';
import type { Graph, Node } from '../graph';
import { attributesToText } from './attributes';
import type { IrConfig, IrOperator, IrScalar, IrTensor } from './config';
import { dtypeToFile } from './dtypes';

/** Attribute that marks an operator as one of ours; the original has none of that name. */
export const NATIVE = 'domain';
export const NATIVE_DOMAIN = 'neural_engine';
/** Position of each input among the operator's slots, where a slot is empty or a tensor is read twice. */
export const SLOTS = 'slots';

/** A graph as the data of conf.yaml and model.bin. */
export interface IrParts {
  readonly config: Omit<IrConfig, 'extra'>;
  /** Concatenation of the constants' bytes in node-then-input order. */
  readonly weights: readonly Uint8Array[];
  readonly shapes: ReadonlyMap<string, readonly string[]>;
}

/** Writes every node under its own operator name; constants in the order in which nodes read them, each once. */
export function graphToIr(graph: Graph): IrParts {
  const weights: Uint8Array[] = [];
  const constants = new Map<string, IrTensor>();
  let offset = 0;
  const place = (name: string, { dtype, dims, data }: Tensor): void => {
    if (constants.has(name)) return;
    const bytes = bytesOf(data);
    constants.set(name, { name, dtype: dtypeToFile(dtype, name), shape: [...dims], location: [offset, bytes.byteLength] });
    weights.push(bytes);
    offset += bytes.byteLength;
  };
  for (const name of [...graph.nodes.flatMap((node) => node.inputs), ...graph.outputs]) {
    const constant = graph.constant(name);
    if (constant) place(name, constant);
  }
  const record = (name: string): IrTensor => {
    const { dtype, shape } = graph.value(name);
    return { name, dtype: dtypeToFile(dtype, name), ...(shape ? { shape: shape.map((dim) => (typeof dim === 'number' ? dim : -1)) } : {}) };
  };
  const operators: IrOperator[] = [
    {
      name: freeOperatorName(graph, 'input_data'),
      type: 'Input',
      inputs: [],
      outputs: [...graph.inputs.map(record), ...constants.values()],
    },
    ...graph.nodes.map((node): IrOperator => {
      const attributes = nodeAttributes(node);
      return {
        name: node.name,
        type: node.op,
        inputs: [...new Set(node.inputs.filter(Boolean))],
        outputs: node.outputs.filter(Boolean).map(record),
        attributes,
      };
    }),
    { name: freeOperatorName(graph, 'output_data'), type: 'Output', inputs: graph.outputs, outputs: [] },
  ];
  const shapes = new Map<string, readonly string[]>();
  // In the order of the file, so that a file that was read is written to the same bytes.
  for (const name of [...graph.inputs, ...graph.nodes.flatMap((node) => node.outputs.filter(Boolean))]) {
    const { shape } = graph.value(name);
    if (shape?.some((dim) => typeof dim !== 'number'))
      shapes.set(
        name,
        shape.map((dim) => (dim === null ? '?' : String(dim))),
      );
  }
  return { config: { name: graph.name, operators }, weights, shapes };
}

function nodeAttributes(node: Node): Map<string, IrScalar> {
  const attributes = new Map<string, IrScalar>([[NATIVE, { text: NATIVE_DOMAIN, quoted: false }], ...attributesToText(node)]);
  const given = [...new Set(node.inputs.filter(Boolean))];
  if (given.length !== node.inputs.length)
    attributes.set(SLOTS, { text: node.inputs.map((name) => (name ? given.indexOf(name) : -1)).join(','), quoted: false });
  if (node.outputs.some((name) => !name))
    attributes.set('outputs', { text: node.outputs.map((name, i) => (name ? i : -1)).join(','), quoted: false });
  return attributes;
}

function freeOperatorName(graph: Graph, hint: string): string {
  const taken = new Set(graph.nodes.map((node) => node.name));
  let name = hint;
  for (let i = 1; taken.has(name); i++) name = `${hint}_${i}`;
  return name;
}
