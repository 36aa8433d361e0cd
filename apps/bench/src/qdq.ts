import { makeNode, makeTensor, type OnnxModel, type OnnxTensor } from '@neural-engine/onnx';

/**
 * A model for measuring speed: QuantizeLinear and DequantizeLinear around every MatMul. Weights become s8 with one scale a channel, so that their
 * zeros stay; activations get a fixed scale, so that the values mean little.
 */
export function withQdq(model: OnnxModel): OnnxModel {
  const initializers = new Map(model.graph.initializers);
  const nodes = [...model.graph.nodes];
  const scale = makeTensor('qdq.scale', 'f32', [], Float32Array.of(0.04));
  const zero = makeTensor('qdq.zero', 'u8', [], Uint8Array.of(128));
  for (const tensor of [scale, zero]) initializers.set(tensor.name, tensor);
  const made = new Map<string, string>();
  const quantized = nodes.flatMap((node) => {
    if (node.opType !== 'MatMul') return [node];
    const before: typeof nodes = [];
    const inputs = node.inputs.map((name) => {
      const weight = model.graph.initializers.get(name);
      if (weight) return weightCodes(weight, initializers, before);
      const known = made.get(name);
      if (known) return known;
      const [codes, values] = [`${name}.q`, `${name}.dq`];
      before.push(makeNode('QuantizeLinear', [name, scale.name, zero.name], [codes], { name: codes }));
      before.push(makeNode('DequantizeLinear', [codes, scale.name, zero.name], [values], { name: values }));
      made.set(name, values);
      return values;
    });
    return [...before, { ...node, inputs }];
  });
  return { ...model, graph: { ...model.graph, nodes: quantized, initializers } };
}

function weightCodes(weight: OnnxTensor, initializers: Map<string, OnnxTensor>, nodes: OnnxModel['graph']['nodes']): string {
  const [inputs, out] = weight.dims as [number, number];
  const data = weight.data() as Float32Array;
  const scales = new Float32Array(out);
  for (let i = 0; i < data.length; i++) scales[i % out] = Math.max(scales[i % out]!, Math.abs(data[i]!) / 127);
  const codes = Int8Array.from(data, (value, i) => (value === 0 ? 0 : Math.round(value / scales[i % out]!)));
  initializers.delete(weight.name);
  for (const tensor of [
    makeTensor(`${weight.name}.q`, 's8', [inputs, out], codes),
    makeTensor(
      `${weight.name}.s`,
      'f32',
      [out],
      scales.map((value) => value || 1),
    ),
    makeTensor(`${weight.name}.z`, 's8', [out], new Int8Array(out)),
  ])
    initializers.set(tensor.name, tensor);
  nodes.push(
    makeNode(
      'DequantizeLinear',
      ['q', 's', 'z'].map((part) => `${weight.name}.${part}`),
      [`${weight.name}.dq`],
      {
        name: `${weight.name}.dq`,
        attributes: { axis: { type: 'int', value: 1n } },
      },
    ),
  );
  return `${weight.name}.dq`;
}
