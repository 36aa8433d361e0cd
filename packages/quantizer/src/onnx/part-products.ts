import type { OnnxNode } from '@neural-engine/onnx';
import { inputAxis, outputAxis, taken } from '../channels/matrix';
import type { OnnxEditor } from './editor';
import type { OnnxProduct } from './find-products';

/** Operators that treat every element alike: what may stand between a product and its activation. */
const ELEMENTWISE = new Set(['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Erf', 'Tanh', 'Sqrt', 'Relu', 'Sigmoid', 'Gelu', 'Identity']);

/** Activations as exporters spell them have up to 9 nodes. */
const MOST_NODES = 32;

/** Products of some channels alone, whose weights are still f32. */
export interface PartProducts {
  /** Makes these channels; reads what the product reads that makes all. */
  readonly maker: OnnxProduct;
  /** The channels after the activation. */
  readonly value: string;
  /** What they give is added to the residual of the product that reads the others. */
  readonly reader: OnnxProduct;
}

/**
 * Adds products of their own for some channels of a value between two products: copies of the first product and of the activation behind
 * it, with these channels only, and a second product whose result is added to the residual of the file's own.
 *
 * Both stand where what they read is known. The file's own products are not changed.
 * @returns undefined where the form of the file is not known: something else than an activation between the products, or no residual sum.
 */
export function insertPartProducts(
  editor: OnnxEditor,
  maker: OnnxProduct,
  reader: OnnxProduct,
  channels: readonly number[],
): PartProducts | undefined {
  const value = reader.compiled.inputs[0]!;
  const width = maker.weight.dims[outputAxis(maker.transposed)]!;
  const chain = between(editor, maker.node.outputs[0]!, value, width);
  const residual = reader.compiled.inputs[3];
  const sum = editor.nodes.find(
    ({ opType, inputs, outputs }) => opType === 'Add' && outputs[0] === reader.compiled.outputs[0] && inputs.includes(residual!),
  );
  if (!chain || !sum || !residual) return undefined;

  const renamed = new Map<string, string>();
  const rename = (name: string): string => {
    const made = editor.free(`${name}_outliers`);
    renamed.set(name, made);
    return made;
  };
  /** The same initializer with these channels alone; one of a single element as it is. */
  const narrowed = (name: string): string => {
    const tensor = editor.model.graph.initializers.get(name);
    if (!tensor || tensor.dims.at(-1) !== width) return name;
    const data = tensor.data() as Float32Array;
    return editor.initializer(
      `${name}_outliers`,
      'f32',
      [channels.length],
      Float32Array.from(channels, (c) => data[c]!),
    );
  };
  const copy = (node: OnnxNode): OnnxNode => ({
    ...node,
    name: editor.free(`${node.name}_outliers`),
    inputs: node.inputs.map((name) => renamed.get(name) ?? narrowed(name)),
    outputs: node.outputs.map(rename),
  });
  const first: OnnxNode = {
    ...maker.node,
    name: editor.free(`${maker.node.name}_outliers`),
    inputs: maker.node.inputs.map((name, slot) => (slot < 2 ? name : narrowed(name))),
    outputs: maker.node.outputs.map(rename),
  };
  const copies = [first, ...chain.map(copy)];
  const second: OnnxNode = {
    ...reader.node,
    name: editor.free(`${reader.node.name}_outliers`),
    inputs: [renamed.get(value)!, reader.node.inputs[1]!],
    outputs: [editor.free(`${reader.node.outputs[0]}_outliers`)],
  };
  editor.add(reader.node, [...copies, second]);
  const [added] = editor.insert(sum, 'Add', [second.outputs[0]!, residual], [`${residual}_with_outliers`]);
  sum.inputs = sum.inputs.map((name) => (name === residual ? added! : name));
  return {
    maker: { ...maker, node: first, weight: taken(maker.weight, outputAxis(maker.transposed), channels) },
    value: renamed.get(value)!,
    reader: { ...reader, node: second, weight: taken(reader.weight, inputAxis(reader.transposed), channels) },
  };
}

/** The nodes from one value to another, if all treat elements alike and read nothing beside but constants of one element or one a channel. */
function between(editor: OnnxEditor, from: string, to: string, width: number): OnnxNode[] | undefined {
  const producers = new Map(editor.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const { initializers } = editor.model.graph;
  const isSmall = (name: string): boolean | undefined => {
    const constant = producers.get(name)?.attributes.get('value');
    const dims = initializers.get(name)?.dims ?? (constant?.type === 'tensor' ? constant.value.dims : undefined);
    return dims?.every((dim, i) => dim === 1 || (dim === width && i === dims.length - 1 && initializers.has(name)));
  };
  const found = new Set<OnnxNode>();
  const fits = (name: string): boolean => {
    if (name === from || isSmall(name)) return true;
    const node = producers.get(name);
    if (!node || !ELEMENTWISE.has(node.opType) || node.domain !== '' || found.size === MOST_NODES) return false;
    if (found.has(node)) return true;
    found.add(node);
    return node.inputs.every(fits);
  };
  return fits(to) && found.size > 0 ? editor.nodes.filter((node) => found.has(node)) : undefined;
}
