import { allocate, type DType, type Shape, type Tensor } from '@neural-engine/core';
import { type Attributes, Graph, type Node } from '../graph';
import { evaluateNode, inferNode } from '../infer-node';
import { inferShapes } from '../infer';
import type { KnownValue } from '../schema';
import { fromNumbers } from '../schemas/cells';

/** A tensor from numbers, rounded to its dtype. */
export function tensorOf(dtype: DType, dims: readonly number[], values: readonly (number | bigint)[]): Tensor {
  if (dtype === 's64' || dtype === 'u64') {
    const data = allocate(dtype, values.length);
    for (const [i, value] of values.entries()) data[i] = BigInt(value);
    return { dtype, dims, data };
  }
  return fromNumbers(dtype, dims, values.map(Number));
}

export const f32 = (dims: readonly number[], values: readonly number[]): Tensor => tensorOf('f32', dims, values);
export const s64 = (dims: readonly number[], values: readonly (number | bigint)[]): Tensor => tensorOf('s64', dims, values);
export const s32 = (dims: readonly number[], values: readonly number[]): Tensor => tensorOf('s32', dims, values);
export const u8 = (dims: readonly number[], values: readonly number[]): Tensor => tensorOf('u8', dims, values);
export const s8 = (dims: readonly number[], values: readonly number[]): Tensor => tensorOf('s8', dims, values);
export const bool = (dims: readonly number[], values: readonly number[]): Tensor => tensorOf('bool', dims, values);

function nodeOf(op: string, count: number, present: readonly boolean[], attributes: Attributes): Node {
  return {
    name: 'tested',
    op,
    inputs: present.map((given, i) => (given ? `x${i}` : '')),
    outputs: Array.from({ length: count }, (_, i) => `y${i}`),
    attributes,
  };
}

/** The outputs of one operator on constants. */
export function evaluate(op: string, inputs: readonly (Tensor | undefined)[], attributes: Attributes = {}, outputs = 1): Tensor[] {
  const node = nodeOf(op, outputs, inputs.map((tensor) => tensor !== undefined), attributes);
  const results = evaluateNode(node, inputs);
  if (!results) throw new Error(`${op} has no evaluation`);
  return results;
}

/** What an operand may be in {@link infer}: a constant, a shape of f32 elements, or all that is known. */
export type Operand = Tensor | KnownValue | Shape | undefined;

const isShape = (operand: NonNullable<Operand>): operand is Shape => Array.isArray(operand);

/** What is known of the outputs of one operator. */
export function infer(op: string, inputs: readonly Operand[], attributes: Attributes = {}, outputs = 1): KnownValue[] {
  const known = inputs.map((operand): KnownValue | undefined => {
    if (!operand) return undefined;
    if (isShape(operand)) return { dtype: 'f32', shape: operand };
    return 'data' in operand ? { dtype: operand.dtype, shape: operand.dims, constant: operand } : operand;
  });
  const node = nodeOf(op, outputs, known.map((value) => value !== undefined), attributes);
  return inferNode(node, (name) => known[Number(name.slice(1))]!);
}

/** The shapes of the outputs of one operator. */
export const shapes = (op: string, inputs: readonly Operand[], attributes: Attributes = {}, outputs = 1): (Shape | undefined)[] =>
  infer(op, inputs, attributes, outputs).map((value) => value.shape);

/** A value of which dtype and shape are known. */
export const of = (dtype: DType, shape: Shape | undefined): KnownValue => ({ dtype, shape });

/** The elements as numbers, rounded to six digits for comparison with hand-computed ones. */
export const rounded = (tensor: Tensor): number[] => Array.from(tensor.data as ArrayLike<number | bigint>, (value) => Number(Number(value).toPrecision(6)));

/** Builds small graphs line by line. */
export class Sketch {
  readonly graph: Graph;

  constructor(name = 'sketch') {
    this.graph = new Graph(name);
  }

  input(name: string, shape: Shape | undefined, dtype: DType = 'f32'): this {
    this.graph.addValue({ name, dtype, shape });
    this.graph.inputs.push(name);
    return this;
  }

  constant(name: string, tensor: Tensor): this {
    this.graph.addValue({ name, dtype: tensor.dtype, shape: tensor.dims, constant: tensor });
    return this;
  }

  node(op: string, inputs: string[], outputs: string[], attributes: Attributes = {}): this {
    for (const name of outputs) if (name) this.graph.addValue({ name, dtype: 'f32', shape: undefined });
    this.graph.nodes.push({ name: `${op}_${this.graph.nodes.length}`, op, inputs, outputs, attributes });
    return this;
  }

  output(...names: string[]): this {
    this.graph.outputs.push(...names);
    return this;
  }

  shapes(): Record<string, Shape | undefined> {
    inferShapes(this.graph);
    return Object.fromEntries([...this.graph.values.values()].map((value) => [value.name, value.shape]));
  }
}
