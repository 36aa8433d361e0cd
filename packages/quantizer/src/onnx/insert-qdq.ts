import { EngineError } from '@neural-engine/core';
import type { OnnxModel, OnnxNode } from '@neural-engine/onnx';
import { divided, inputAxis, zeroed } from '../channels/matrix';
import type { Range } from '../histogram';
import type { ValueRange } from '../value-range';
import { quantizeWeight, roundTiesEven } from '../weight';
import { OnnxEditor } from './editor';
import type { Found, OnnxProduct } from './find-products';
import { insertPartProducts } from './part-products';

/**
 * Static int8 as QuantizeLinear and DequantizeLinear around the file's own products: activations u8 with one scale and zero point, weights
 * s8 with one scale an output channel; of attentions, if any are to be coded, queries, keys and values s8 and probabilities u8 over
 * [0, 1]. Biases, sums and everything else stay f32. Ranges with multipliers or parts are written as products by constants and as products
 * of some channels.
 *
 * @throws {EngineError} E_QUANT a range is missing.
 */
export function insertQdq(source: OnnxModel, find: (model: OnnxModel) => Found, ranges: ReadonlyMap<string, ValueRange>): OnnxModel {
  const editor = new OnnxEditor(source);
  const { products, attentions } = find(editor.model);
  const pairs = new Pairs(editor);
  const rangeOf = (name: string): ValueRange => {
    const range = ranges.get(name);
    if (!range) throw new EngineError('E_QUANT', 'quantize', `calibration found no range for "${name}"`, { where: name });
    return range;
  };
  for (const { compiled, q, k, v, probabilities, context } of attentions) {
    for (const [slot, name] of [q, k, v].entries()) {
      const code = signedCode(rangeOf(compiled.inputs[slot]!));
      for (const reader of editor.nodes) if (reader.inputs.includes(name)) pairs.read(reader, name, code);
    }
    pairs.read(context, probabilities, { dtype: 'u8', scale: 1 / 255, zero: 0 });
  }
  const done = new Map<string, OnnxProduct>();
  for (const product of products) {
    const x = product.compiled.inputs[0]!;
    const { balanced, parts, ...whole } = rangeOf(x);
    const maker = done.get(x);
    const part = parts && maker && insertPartProducts(editor, maker, product, parts.channels);
    let used = product;
    if (balanced) {
      pairs.readBalanced(product.node, product.node.inputs[0]!, balanced.multipliers, unsignedCode(balanced.range));
      used = { ...product, weight: divided(product.weight, inputAxis(product.transposed), balanced.multipliers) };
    } else pairs.read(product.node, product.node.inputs[0]!, unsignedCode(part ? parts.rest : whole));
    done.set(product.compiled.outputs[0]!, used);
    if (part) {
      pairs.read(part.reader.node, part.value, unsignedCode(parts.outliers));
      for (const each of [part.maker, part.reader]) dequantizedWeight(editor, each);
      used = { ...product, weight: zeroed(product.weight, inputAxis(product.transposed), parts.channels) };
    }
    dequantizedWeight(editor, used);
  }
  return editor.finish();
}

interface PairCode {
  readonly dtype: 'u8' | 's8';
  /** Distance of two codes. */
  readonly scale: number;
  readonly zero: number;
}

/** Zero is a code: ranges hold it. */
function unsignedCode({ min, max }: Range): PairCode {
  const scale = Math.fround(Math.max(max - min, 1e-10) / 255);
  return { dtype: 'u8', scale, zero: Math.min(255, Math.max(0, roundTiesEven(-min / scale))) };
}

function signedCode({ min, max }: Range): PairCode {
  return { dtype: 's8', scale: Math.fround(Math.max(Math.abs(min), Math.abs(max), 1e-10) / 127), zero: 0 };
}

/** Q/DQ pairs; readers of one value by one code share a pair. */
class Pairs {
  private readonly made = new Map<string, string>();
  constructor(private readonly editor: OnnxEditor) {}

  /** Makes a node read the value through a pair. */
  read(reader: OnnxNode, name: string, code: PairCode): void {
    const key = `${name} ${code.dtype} ${code.scale} ${code.zero}`;
    let through = this.made.get(key);
    if (!through) {
      through = this.pair(this.firstReader(name), name, code);
      this.made.set(key, through);
    }
    reader.inputs = reader.inputs.map((input) => (input === name ? through : input));
  }

  /** The same with the value times one multiplier a channel. */
  readBalanced(reader: OnnxNode, name: string, multipliers: Float32Array, code: PairCode): void {
    const key = `${name} balanced`;
    let through = this.made.get(key);
    if (!through) {
      const { editor } = this;
      const anchor = this.firstReader(name);
      const factors = editor.initializer(`${name}_multipliers`, 'f32', [multipliers.length], multipliers);
      const [balanced] = editor.insert(anchor, 'Mul', [name, factors], [`${name}_balanced`]);
      through = this.pair(anchor, balanced!, code);
      this.made.set(key, through);
    }
    reader.inputs = reader.inputs.map((input) => (input === name ? through : input));
  }

  private pair(anchor: OnnxNode, name: string, { dtype, scale, zero }: PairCode): string {
    const { editor } = this;
    const parameters = [
      editor.initializer(`${name}_scale`, 'f32', [], Float32Array.of(scale)),
      editor.initializer(`${name}_zero_point`, dtype, [], dtype === 'u8' ? Uint8Array.of(zero) : Int8Array.of(zero)),
    ];
    const [codes] = editor.insert(anchor, 'QuantizeLinear', [name, ...parameters], [`${name}_quantized`]);
    return editor.insert(anchor, 'DequantizeLinear', [codes!, ...parameters], [`${name}_dequantized`])[0]!;
  }

  /** Nodes are in order: a pair in front of the first reader is in front of all. */
  private firstReader(name: string): OnnxNode {
    return this.editor.nodes.find((node) => node.inputs.includes(name))!;
  }
}

function dequantizedWeight(editor: OnnxEditor, { node, weight, transposed }: OnnxProduct): void {
  const name = node.inputs[1]!;
  const { data, max } = quantizeWeight(weight, transposed, name);
  const scale = Float32Array.from(max.data as Float32Array, (bound) => bound / 127);
  const parameters = [
    editor.initializer(`${name}_quantized`, 's8', weight.dims, data.data),
    editor.initializer(`${name}_scale`, 'f32', [scale.length], scale),
    editor.initializer(`${name}_zero_point`, 's8', [scale.length], new Int8Array(scale.length)),
  ];
  const axis = { axis: { type: 'int', value: transposed ? 0n : 1n } } as const;
  const [real] = editor.insert(node, 'DequantizeLinear', parameters, [`${name}_dequantized`], axis);
  node.inputs[1] = real!;
}
