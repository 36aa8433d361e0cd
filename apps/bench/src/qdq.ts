import { makeNode, makeTensor, type OnnxAttribute, type OnnxModel, type OnnxNode, type OnnxTensor } from '@neural-engine/onnx';

/** Of every activation: what is measured is speed, and the values mean little. */
const SCALE = makeTensor('qdq.scale', 'f32', [], Float32Array.of(0.04));
const ZERO = makeTensor('qdq.zero', 'u8', [], Uint8Array.of(128));
const WEIGHT_ZERO = makeTensor('qdq.weight_zero', 's8', [], Int8Array.of(0));

/**
 * A model for measuring speed: QuantizeLinear and DequantizeLinear around every MatMul. Weights become s8 with one scale a channel, so that their
 * zeros stay; activations get a fixed scale.
 */
export function withQdq(model: OnnxModel): OnnxModel {
  const made = new Map<string, string>();
  return eachProduct(model, ({ node, initializers, codesOf }) => {
    const before: OnnxNode[] = [];
    const inputs = node.inputs.map((name) => {
      const weight = initializers.get(name);
      if (weight) return dequantizedWeight(weight, initializers, before);
      const values = made.get(name) ?? `${name}.dq`;
      if (!made.has(name))
        before.push(makeNode('DequantizeLinear', [codesOf(name, before), SCALE.name, ZERO.name], [values], { name: values }));
      made.set(name, values);
      return values;
    });
    return [...before, { ...node, inputs }];
  });
}

/**
 * The same model in the form that DeepSparse fuses: QuantizeLinear, MatMulInteger, the bias added to its sums in s32, Cast and Mul.
 */
export function withIntegerProducts(model: OnnxModel): OnnxModel {
  const { initializers: weights, nodes } = model.graph;
  /** The addition of a bias that alone reads a product. */
  const biasOf = (product: string): { node: OnnxNode; bias: OnnxTensor } | undefined => {
    const [reader, ...others] = nodes.filter(({ inputs }) => inputs.includes(product));
    const bias = reader?.inputs.map((name) => weights.get(name)).find((tensor) => tensor?.dims.length === 1);
    return reader?.opType === 'Add' && others.length === 0 && bias ? { node: reader, bias } : undefined;
  };
  const folded = new Set<OnnxNode>();
  const result = eachProduct(model, ({ node, initializers, codesOf }) => {
    const before: OnnxNode[] = [];
    const [x, w] = node.inputs as [string, string];
    const weight = initializers.get(w);
    const step = (name: string): string => `${node.name}.${name}`;
    const op = (type: string, inputs: string[], output: string, attributes: Record<string, OnnxAttribute> = {}): string => {
      before.push(makeNode(type, inputs, [output], { name: step(type), attributes }));
      return output;
    };
    const constant = (tensor: OnnxTensor): string => {
      initializers.set(tensor.name, tensor);
      return tensor.name;
    };
    const codedWeight = weight ? codedChannels(weight) : undefined;
    const right = codedWeight ? constant(codedWeight.codes) : codesOf(w, before);
    const zero = codedWeight ? constant(WEIGHT_ZERO) : ZERO.name;
    const unit = Number((SCALE.data() as Float32Array)[0]);
    const scales = codedWeight ? codedWeight.scales.map((scale) => scale * unit) : Float32Array.of(unit * unit);
    let sums = op('MatMulInteger', [codesOf(x, before), right, ZERO.name, zero], step('sums'));
    let output = node.outputs[0]!;
    const add = codedWeight ? biasOf(output) : undefined;
    if (weight && add) {
      const steps = Int32Array.from(add.bias.data() as Float32Array, (value, i) => Math.round(value / scales[i]!));
      sums = op('Add', [sums, constant(makeTensor(step('bias'), 's32', [steps.length], steps))], step('biased'));
      output = add.node.outputs[0]!;
      folded.add(add.node);
    }
    if (weight) initializers.delete(weight.name);
    const values = op('Cast', [sums], step('values'), { to: { type: 'int', value: 1n } });
    op('Mul', [values, constant(makeTensor(step('scale'), 'f32', codedWeight ? [scales.length] : [], scales))], output);
    return before;
  });
  return { ...result, graph: { ...result.graph, nodes: result.graph.nodes.filter((node) => !folded.has(node)) } };
}

interface Product {
  readonly node: OnnxNode;
  /** Of the model that is made. */
  readonly initializers: Map<string, OnnxTensor>;
  /** The u8 codes of an activation; the node that makes them goes into the list the first time. */
  codesOf(name: string, nodes: OnnxNode[]): string;
}

/** Replaces every MatMul. */
function eachProduct(model: OnnxModel, replace: (product: Product) => OnnxNode[]): OnnxModel {
  const initializers = new Map(model.graph.initializers);
  for (const tensor of [SCALE, ZERO]) initializers.set(tensor.name, tensor);
  const made = new Map<string, string>();
  const codesOf = (name: string, nodes: OnnxNode[]): string => {
    const known = made.get(name);
    if (known !== undefined) return known;
    const codes = `${name}.q`;
    nodes.push(makeNode('QuantizeLinear', [name, SCALE.name, ZERO.name], [codes], { name: codes }));
    made.set(name, codes);
    return codes;
  };
  const nodes = model.graph.nodes.flatMap((node) => (node.opType === 'MatMul' ? replace({ node, initializers, codesOf }) : [node]));
  return { ...model, graph: { ...model.graph, nodes, initializers } };
}

/** s8 codes of a weight [in, out], symmetric with one scale a channel; zeros stay zeros. */
function codedChannels(weight: OnnxTensor): { codes: OnnxTensor; scales: Float32Array } {
  const [inputs, out] = weight.dims as [number, number];
  const data = weight.data() as Float32Array;
  const scales = new Float32Array(out);
  for (let i = 0; i < data.length; i++) scales[i % out] = Math.max(scales[i % out]!, Math.abs(data[i]!) / 127);
  const codes = Int8Array.from(data, (value, i) => (value === 0 ? 0 : Math.round(value / scales[i % out]!)));
  return { codes: makeTensor(`${weight.name}.q`, 's8', [inputs, out], codes), scales: scales.map((value) => value || 1) };
}

function dequantizedWeight(weight: OnnxTensor, initializers: Map<string, OnnxTensor>, nodes: OnnxNode[]): string {
  const { codes, scales } = codedChannels(weight);
  const out = scales.length;
  initializers.delete(weight.name);
  const parts = [
    codes,
    makeTensor(`${weight.name}.s`, 'f32', [out], scales),
    makeTensor(`${weight.name}.z`, 's8', [out], new Int8Array(out)),
  ];
  for (const tensor of parts) initializers.set(tensor.name, tensor);
  const values = `${weight.name}.dq`;
  const attributes = { axis: { type: 'int', value: 1n } } as const;
  nodes.push(
    makeNode(
      'DequantizeLinear',
      parts.map(({ name }) => name),
      [values],
      { name: values, attributes },
    ),
  );
  return values;
}
