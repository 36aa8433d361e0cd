import type { Dims, DType, Shape, TypedArray } from '@neural-engine/core';
import { makeGraph, makeModel, makeNode, makeTensor, makeValueInfo, type OnnxAttribute, type OnnxGraph, type OnnxModel, type OnnxNode } from '@neural-engine/onnx';

/** Attributes of nodes, short. */
export const int = (value: number | bigint): OnnxAttribute => ({ type: 'int', value: BigInt(value) });
export const ints = (...values: (number | bigint)[]): OnnxAttribute => ({ type: 'ints', value: values.map(BigInt) });
export const float = (value: number): OnnxAttribute => ({ type: 'float', value });
export const text = (value: string): OnnxAttribute => ({ type: 'string', value });
export const graph = (value: OnnxGraph): OnnxAttribute => ({ type: 'graph', value });
export const tensor = (dtype: DType, dims: Dims, data: TypedArray): OnnxAttribute => ({ type: 'tensor', value: makeTensor('', dtype, dims, data) });

export const node = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Record<string, OnnxAttribute> = {},
  options: { name?: string; domain?: string } = {},
): OnnxNode => makeNode(op, inputs, outputs, { attributes, ...options });

export interface ModelParts {
  readonly opset?: number;
  readonly inputs: Readonly<Record<string, readonly [DType, Shape | undefined]>>;
  readonly nodes: readonly OnnxNode[];
  readonly outputs?: readonly string[];
  readonly constants?: Readonly<Record<string, readonly [DType, Dims, TypedArray]>>;
  readonly functions?: OnnxModel['functions'];
  readonly domains?: Readonly<Record<string, number>>;
}

/** A model; its outputs are those of the last node unless given. */
export function modelOf({ opset = 22, inputs, nodes, outputs, constants = {}, functions = [], domains = {} }: ModelParts): OnnxModel {
  return makeModel(
    {
      nodes,
      inputs: Object.entries(inputs).map(([name, [dtype, shape]]) => makeValueInfo(name, dtype, shape)),
      outputs: (outputs ?? nodes.at(-1)!.outputs).map((name) => makeValueInfo(name, 'f32')),
      initializers: Object.entries(constants).map(([name, [dtype, dims, data]]) => makeTensor(name, dtype, dims, data)),
    },
    { opsets: { '': opset, ...domains }, functions },
  );
}

/** The graph of a branch, which sees the values around it. */
export const branch = (nodes: readonly OnnxNode[], outputs: readonly string[]): OnnxGraph =>
  makeGraph({ nodes, inputs: [], outputs: outputs.map((name) => makeValueInfo(name, 'f32')) });

/** A model-local function. */
export const functionOf = (
  name: string,
  inputs: string[],
  outputs: string[],
  nodes: OnnxNode[],
  options: { attributes?: string[]; defaults?: Record<string, OnnxAttribute>; opset?: number } = {},
): OnnxModel['functions'][number] => ({
  name,
  domain: 'local',
  overload: '',
  inputs,
  outputs,
  attributes: options.attributes ?? [],
  defaults: new Map(Object.entries(options.defaults ?? {})),
  opsets: new Map([
    ['', options.opset ?? 22],
    ['local', 1],
  ]),
  nodes,
  valueInfo: [],
  docString: '',
  metadata: new Map(),
});
