import { bytesOf, elementCount, type TypedArray } from '@neural-engine/core';
import { packedBytes } from './dtypes';
import { fail, quote } from './errors';
import { InlineTensor, StringTensor } from './tensor';
import type { OnnxAttribute, OnnxDType, OnnxFunction, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, OnnxValueInfo } from './types';

/**
 * Makes a tensor over `data` without copying it.
 *
 * @param data the elements as a typed array, raw little-endian bytes (for types below 8 bits packed), or strings.
 * @throws {EngineError} E_SHAPE the data is not what dtype and dims call for.
 */
export function makeTensor(name: string, dtype: OnnxDType, dims: readonly number[], data: TypedArray | readonly string[]): OnnxTensor {
  const where = `tensor ${quote(name)}`;
  const count = elementCount(dims, where);
  if (Array.isArray(data) || dtype === 'string') {
    if (!Array.isArray(data) || dtype !== 'string')
      fail('E_SHAPE', 'check', where, 'string tensors, and only they, are made from an array of strings');
    if (data.length !== count)
      fail('E_SHAPE', 'check', where, `dims [${dims.join(', ')}] need ${count} strings, the data has ${data.length}`);
    const encoder = new TextEncoder();
    return new StringTensor(
      name,
      [...dims],
      data.map((text) => encoder.encode(text)),
    );
  }
  const bytes = bytesOf(data as TypedArray);
  const needed = packedBytes(dtype, count);
  if (bytes.byteLength !== needed) {
    fail('E_SHAPE', 'check', where, `${dtype} [${dims.join(', ')}] needs ${needed} bytes, the data has ${bytes.byteLength}`);
  }
  return new InlineTensor(name, dtype, [...dims], bytes);
}

/** A node; `attributes` in the order given. */
export function makeNode(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  options: { name?: string; domain?: string; attributes?: Readonly<Record<string, OnnxAttribute>> } = {},
): OnnxNode {
  return {
    name: options.name ?? '',
    opType,
    domain: options.domain ?? '',
    inputs: [...inputs],
    outputs: [...outputs],
    attributes: new Map(Object.entries(options.attributes ?? {})),
  };
}

/** A declared value; without a shape even its rank is unknown. */
export const makeValueInfo = (name: string, dtype: OnnxDType, shape?: OnnxValueInfo['shape']): OnnxValueInfo => ({ name, dtype, shape });

/** The lists of a graph; initializers take the names of their tensors. */
export interface GraphParts {
  name?: string;
  nodes: readonly OnnxNode[];
  inputs: readonly OnnxValueInfo[];
  outputs: readonly OnnxValueInfo[];
  valueInfo?: readonly OnnxValueInfo[];
  initializers?: readonly OnnxTensor[];
}

/** A graph. @throws {EngineError} E_MODEL two initializers of one name. */
export function makeGraph(parts: GraphParts): OnnxGraph {
  const initializers = new Map<string, OnnxTensor>();
  for (const tensor of parts.initializers ?? []) {
    if (initializers.has(tensor.name)) fail('E_MODEL', 'check', `initializer ${quote(tensor.name)}`, 'appears twice');
    initializers.set(tensor.name, tensor);
  }
  return {
    name: parts.name ?? 'graph',
    nodes: [...parts.nodes],
    inputs: [...parts.inputs],
    outputs: [...parts.outputs],
    valueInfo: [...(parts.valueInfo ?? [])],
    initializers,
    sparseInitializers: new Map(),
    quantization: new Map(),
    docString: '',
    metadata: new Map(),
  };
}

/** What a model has around its graph. */
export interface ModelOptions {
  /** Version of the default domain, or of each domain. Default 17. */
  opsets?: number | Readonly<Record<string, number>>;
  /** Default 8. */
  irVersion?: number;
  producer?: { name: string; version: string };
  functions?: readonly OnnxFunction[];
  metadata?: ReadonlyMap<string, string>;
}

/** A model around a graph (or the parts of one). It is not checked; {@link checkModel} does that. */
export function makeModel(graph: OnnxGraph | GraphParts, options: ModelOptions = {}): OnnxModel {
  const opsets = options.opsets ?? 17;
  return {
    irVersion: options.irVersion ?? 8,
    opsets: new Map(typeof opsets === 'number' ? [['', opsets]] : Object.entries(opsets)),
    producer: options.producer ?? { name: 'neural-engine', version: '' },
    domain: '',
    modelVersion: 0n,
    docString: '',
    graph: 'sparseInitializers' in graph ? graph : makeGraph(graph),
    functions: [...(options.functions ?? [])],
    metadata: new Map(options.metadata),
    training: [],
    devices: [],
    externalFiles: [],
    warnings: [],
  };
}
