import type { Graph, Node } from '@neural-engine/ir';

/** Name of the value before the activation of a node. */
export const preActivation = (node: string): string => `${node}:pre_activation`;

const UNFUSED: Readonly<Record<string, { op: string; attributes: Record<string, string> }>> = {
  gelu_erf: { op: 'Gelu', attributes: { approximate: 'none' } },
  gelu_tanh: { op: 'Gelu', attributes: { approximate: 'tanh' } },
  relu: { op: 'Relu', attributes: {} },
  tanh: { op: 'Tanh', attributes: {} },
  sigmoid: { op: 'Sigmoid', attributes: {} },
};

/** A copy in which activations stand beside their products again, so that the values before them can be observed. */
export function calibrationGraph(graph: Graph): Graph {
  const copy = graph.clone();
  copy.nodes = copy.nodes.flatMap((node) => {
    const split = node.op === 'InnerProduct' ? UNFUSED[String(node.attributes['activation'])] : undefined;
    if (!split) return [node];
    const output = node.outputs[0]!;
    const { dtype, shape } = copy.value(output);
    const before = copy.addValue({ name: preActivation(node.name), dtype, shape }).name;
    // A product that rounds does so behind its activation.
    const { rounding, ...attributes } = node.attributes;
    const isRounded = rounding === 'bf16';
    const after = isRounded ? copy.addValue({ name: copy.freeName(`${output}:exact`), dtype, shape }).name : output;
    const nodes: Node[] = [
      { ...node, outputs: [before], attributes: { ...attributes, activation: 'none' } },
      { name: `${node.name}/activation`, op: split.op, inputs: [before], outputs: [after], attributes: split.attributes },
    ];
    if (!isRounded) return nodes;
    const half = copy.addValue({ name: copy.freeName(`${output}:bf16`), dtype: 'bf16', shape }).name;
    const cast = (x: string, y: string, to: string): Node => ({
      name: `${y}/cast`,
      op: 'Cast',
      inputs: [x],
      outputs: [y],
      attributes: { to },
    });
    return [...nodes, cast(after, half, 'bf16'), cast(half, output, 'f32')];
  });
  return copy;
}
