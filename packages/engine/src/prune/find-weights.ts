import { fromBf16, fromF16 } from '@neural-engine/core';
import { attributeInt, attributeInts, type OnnxGraph, type OnnxModel, type OnnxNode, type OnnxTensor } from '@neural-engine/onnx';
import type { WeightView } from '@neural-engine/sparsity';

/** The weight of one or more products of an ONNX model. */
export interface FoundWeight {
  /** The first product that reads it. */
  readonly node: string;
  /** Name of the initializer. */
  readonly initializer: string;
  /** Values that are multiplied by it, one for each product. */
  readonly inputs: readonly string[];
  /** Its values as the product sees them, in the order in which the initializer stores its elements. */
  readonly view: WeightView;
}

/** A product whose weight cannot be pruned, with a clause that says why. */
export interface SkippedProduct {
  readonly node: string;
  readonly reason: string;
}

interface Chain {
  readonly tensor: OnnxTensor;
  /** From the product back to the initializer. */
  readonly between: readonly OnnxNode[];
  /** An odd number of Transposes lies between. */
  readonly turned: boolean;
  readonly dequantize?: OnnxNode;
}

/**
 * Finds the constant weights of MatMul and Gemm, also behind Cast, Transpose, Identity and DequantizeLinear with zero points of 0.
 *
 * A weight is left alone when anything but products reads it, such as a word table that is also a head.
 */
export function findWeights({ graph }: OnnxModel): { found: FoundWeight[]; skipped: SkippedProduct[] } {
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  const consumers = new Map<string, OnnxNode[]>();
  for (const node of graph.nodes) for (const input of new Set(node.inputs)) consumers.set(input, [...(consumers.get(input) ?? []), node]);
  const byInitializer = new Map<string, { node: OnnxNode; chain: Chain; outFirst: boolean }[]>();
  const skipped: SkippedProduct[] = [];
  for (const node of graph.nodes) {
    if (node.domain !== '' || (node.opType !== 'MatMul' && node.opType !== 'Gemm')) continue;
    const chain = traceWeight(graph, producers, node.inputs[1]!);
    if (typeof chain === 'string') skipped.push({ node: nameOf(node), reason: chain });
    if (chain === undefined || typeof chain === 'string') continue;
    // MatMul reads [in, out]; Gemm turns it itself when transB is set.
    const outFirst = (node.opType === 'Gemm' && attributeInt(node, 'transB', 0) !== 0) !== chain.turned;
    const known = byInitializer.get(chain.tensor.name) ?? [];
    byInitializer.set(chain.tensor.name, [...known, { node, chain, outFirst }]);
  }
  const found: FoundWeight[] = [];
  for (const [initializer, uses] of byInitializer) {
    const [first] = uses as [(typeof uses)[number]];
    const reason = whyNot(graph, uses, consumers);
    if (reason) {
      skipped.push(...uses.map(({ node }) => ({ node: nameOf(node), reason })));
      continue;
    }
    const [rows, columns] = first.chain.tensor.dims as [number, number];
    const [out, inputs] = first.outFirst ? [rows, columns] : [columns, rows];
    const view = { data: valuesOf(graph, first.chain), out, in: inputs, transposed: first.outFirst };
    found.push({ node: nameOf(first.node), initializer, inputs: uses.map(({ node }) => node.inputs[0]!), view });
  }
  return { found, skipped };
}

const nameOf = (node: OnnxNode): string => node.name || node.outputs[0]!;

/** The initializer behind a value; undefined when it is no constant, a clause when it is one that cannot be changed. */
function traceWeight(graph: OnnxGraph, producers: ReadonlyMap<string, OnnxNode>, value: string): Chain | string | undefined {
  const between: OnnxNode[] = [];
  let turned = false;
  let dequantize: OnnxNode | undefined;
  for (let name = value; ; ) {
    const tensor = graph.initializers.get(name);
    if (tensor) {
      if (tensor.dims.length !== 2) return `its weight has ${tensor.dims.length} dimensions`;
      if (!['f32', 'f16', 'bf16', 'f64', ...(dequantize ? ['s8', 'u8'] : [])].includes(tensor.dtype))
        return `its weight is ${tensor.dtype}`;
      return { tensor, between, turned, ...(dequantize ? { dequantize } : {}) };
    }
    const node = producers.get(name);
    if (!node) return undefined;
    if (node.opType === 'Constant') return 'its weight is a Constant node; constant folding makes it an initializer';
    if (node.opType === 'Transpose') {
      if (attributeInts(node, 'perm', [1, 0]).join() !== '1,0') return undefined;
      turned = !turned;
    } else if (node.opType === 'DequantizeLinear') dequantize = node;
    else if (node.opType !== 'Cast' && node.opType !== 'Identity') return undefined;
    between.push(node);
    name = node.inputs[0]!;
  }
}

function whyNot(
  graph: OnnxGraph,
  uses: readonly { node: OnnxNode; chain: Chain; outFirst: boolean }[],
  consumers: ReadonlyMap<string, OnnxNode[]>,
): string | undefined {
  const [{ chain, outFirst }] = uses as [(typeof uses)[number]];
  if (uses.some((use) => use.outFirst !== outFirst)) return 'products read its weight both ways round';
  const ours = new Set(uses.flatMap(({ node, chain: { between } }) => [node, ...between]));
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  for (const value of [chain.tensor.name, ...uses.flatMap(({ chain: { between } }) => between.flatMap(({ outputs: made }) => made))]) {
    const other = (consumers.get(value) ?? []).find((node) => !ours.has(node));
    if (other) return `its weight is read by ${other.opType} "${nameOf(other)}" too`;
    if (outputs.has(value)) return 'its weight is an output of the model';
  }
  const zero = chain.dequantize?.inputs[2];
  if (!zero) return undefined;
  const points = graph.initializers.get(zero);
  if (!points || Array.from(points.data() as Int8Array).some((point) => point !== 0))
    return 'its weight has zero points other than 0, so that no code of it stands for nothing';
  return undefined;
}

/** Elements as numbers; codes are multiplied by the scale of their channel. */
function valuesOf(graph: OnnxGraph, { tensor, dequantize }: Chain): Float32Array {
  const data = tensor.data();
  if (tensor.dtype === 'f16') return Float32Array.from(data as Uint16Array, fromF16);
  if (tensor.dtype === 'bf16') return Float32Array.from(data as Uint16Array, fromBf16);
  const values = Float32Array.from(data as Float32Array);
  const scales = dequantize && (graph.initializers.get(dequantize.inputs[1]!)?.data() as Float32Array | undefined);
  if (!dequantize || !scales || scales.length === 1) return values;
  const columns = tensor.dims[1]!;
  const axis = attributeInt(dequantize, 'axis', 1);
  const byRow = (axis < 0 ? axis + 2 : axis) === 0;
  return values.map((value, i) => value * scales[byRow ? Math.floor(i / columns) : i % columns]!);
}
