import { EngineError, type Tensor } from '@neural-engine/core';
import { makeNode, makeTensor, type OnnxModel, type OnnxNode } from '@neural-engine/onnx';
import { roundWeight } from './bf16';

/** ONNX's numbers of bfloat16 and float, and the first operator set whose Cast knows the former. */
const TO = { bf16: 16n, f32: 1n } as const;
const FIRST_OPSET = 13;

/**
 * The model with some weights of MatMul and Gemm stored as bf16 and their inputs rounded to it: x → Cast to bf16 → Cast to f32, the
 * weight → Cast to f32. Products stay f32, because ONNX Runtime's CPU provider has none in bf16; they give what the engine computes.
 *
 * @param weights The f32 weights by their names in this model, as its compiled graph has them.
 * @throws {EngineError} E_UNSUPPORTED the model is older than operator set 13, or no product reads a weight of that name; E_QUANT a
 * weight has no finite bf16.
 */
export function toBf16Onnx(model: OnnxModel, weights: ReadonlyMap<string, Tensor>): OnnxModel {
  const opset = model.opsets.get('') ?? 0;
  if (opset < FIRST_OPSET)
    throw new EngineError('E_UNSUPPORTED', 'save', `the model uses operator set ${opset}; bf16 needs ${FIRST_OPSET} or later`);
  const writer = new Bf16Writer(model, weights);
  for (const node of model.graph.nodes) writer.take(node);
  return writer.finish();
}

class Bf16Writer {
  private readonly graph: OnnxModel['graph'];
  private readonly taken: Set<string>;
  /** Rounded inputs and weights by the name of what was rounded. */
  private readonly rounded = new Map<string, string>();
  private readonly replaced = new Set<string>();

  constructor(
    private readonly model: OnnxModel,
    private readonly weights: ReadonlyMap<string, Tensor>,
  ) {
    const { graph } = model;
    this.graph = { ...graph, nodes: [], initializers: new Map(graph.initializers) };
    const inputs = graph.inputs.map(({ name }) => name);
    this.taken = new Set([...graph.initializers.keys(), ...inputs, ...graph.nodes.flatMap((node) => node.outputs)]);
  }

  take(node: OnnxNode): void {
    const [x, w] = node.inputs;
    const weight = w ? this.weights.get(w) : undefined;
    if ((node.opType !== 'MatMul' && node.opType !== 'Gemm') || node.domain !== '' || !x || !weight) {
      this.graph.nodes.push(node);
      return;
    }
    this.replaced.add(w!);
    const inputs = [this.once(x, () => this.cast(x, 'bf16', 'f32')), this.once(w!, () => this.store(w!, weight)), ...node.inputs.slice(2)];
    this.graph.nodes.push({ ...node, inputs });
  }

  finish(): OnnxModel {
    const missing = [...this.weights.keys()].find((name) => !this.replaced.has(name));
    if (missing !== undefined) {
      throw new EngineError('E_UNSUPPORTED', 'save', `no MatMul or Gemm of the model reads the weight "${missing}"`, { where: missing });
    }
    // What a subgraph reads is not looked at: where there is one, everything stays.
    const nested = this.graph.nodes.some((node) => [...node.attributes.values()].some(({ type }) => type === 'graph' || type === 'graphs'));
    if (!nested) this.drop([...this.replaced]);
    return { ...this.model, graph: this.graph };
  }

  private once(name: string, make: () => string): string {
    const made = this.rounded.get(name) ?? make();
    this.rounded.set(name, made);
    return made;
  }

  private store(name: string, weight: Tensor): string {
    const half = this.freeName(`${name}_bf16`);
    this.graph.initializers.set(half, makeTensor(half, 'bf16', weight.dims, roundWeight(weight, name).data));
    return this.cast(half, 'f32');
  }

  private cast(x: string, ...to: (keyof typeof TO)[]): string {
    return to.reduce((input, dtype) => {
      const output = this.freeName(`${x}_to_${dtype}`);
      const attributes = { to: { type: 'int', value: TO[dtype] } } as const;
      this.graph.nodes.push(makeNode('Cast', [input], [output], { name: output, attributes }));
      return output;
    }, x);
  }

  private freeName(hint: string): string {
    let name = hint;
    for (let i = 1; this.taken.has(name); i++) name = `${hint}_${i}`;
    this.taken.add(name);
    return name;
  }

  /** Removes values that nothing reads any more, and what only they were made from. */
  private drop(names: string[]): void {
    const { graph } = this;
    const isRead = (name: string): boolean =>
      graph.outputs.some((output) => output.name === name) || graph.nodes.some((node) => node.inputs.includes(name));
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      if (isRead(name)) continue;
      graph.initializers.delete(name);
      graph.inputs = graph.inputs.filter((value) => value.name !== name);
      const maker = graph.nodes.find((node) => node.outputs.includes(name!));
      if (!maker || maker.outputs.some((output) => output && isRead(output))) continue;
      graph.nodes = graph.nodes.filter((node) => node !== maker);
      names.push(...maker.inputs.filter(Boolean));
    }
  }
}
