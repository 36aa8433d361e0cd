import type { Graph, Node } from '@neural-engine/ir';

/** The weight of a product by output and input channel, however it is stored. */
export interface WeightView {
  readonly outputs: number;
  readonly inputs: number;
  readonly data: Float32Array;
  /** Where w[output, input] lies. */
  readonly at: (output: number, input: number) => number;
}

export function weightView(graph: Graph, node: Node): WeightView {
  const { dims, data } = graph.constant(node.inputs[1])!;
  const [first, second] = dims as [number, number];
  return node.attributes['transposed'] === true
    ? { outputs: first, inputs: second, data: data as Float32Array, at: (n, k) => n * second + k }
    : { outputs: second, inputs: first, data: data as Float32Array, at: (n, k) => k * second + n };
}

/** Σ over the outputs of w[·, input]²: what noise in that input channel becomes. */
export function columnPowers({ outputs, inputs, data, at }: WeightView): Float64Array {
  const powers = new Float64Array(inputs);
  for (let k = 0; k < inputs; k++) for (let n = 0; n < outputs; n++) powers[k]! += data[at(n, k)]! ** 2;
  return powers;
}
