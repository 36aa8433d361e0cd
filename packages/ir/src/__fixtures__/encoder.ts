import type { DType, Tensor } from '@neural-engine/core';
import { type Attributes, Graph } from '../graph';
import { inferShapes } from '../infer';
import { verifyGraph } from '../verify';

export interface EncoderOptions {
  /** 8-bit products; attention reads s8, or f32 with 8-bit values as DistilBERT files of the original have it. */
  readonly codes?: 'none' | 's8' | 'values';
  readonly tokenTypes?: boolean;
  readonly activation?: string;
  readonly head?: 'logits' | 'span' | 'first-token' | 'tokens';
  /** Weights of the 8-bit products as [out, in]. */
  readonly transposed?: boolean;
}

export const HIDDEN = 8;
export const HEADS = 2;

const wave = (count: number, seed: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.fround(Math.sin(i * 1.7 + seed)));

/** An encoder of one layer, eight features and two heads, with a head of its own. */
export class EncoderBuilder {
  readonly graph = new Graph('encoder');
  private seed = 0;

  constructor(private readonly options: EncoderOptions) {}

  value(name: string, dtype: DType, shape?: readonly (number | string)[]): string {
    return this.graph.addValue({ name, dtype, shape }).name;
  }

  constant(hint: string, dims: readonly number[], values?: ArrayLike<number>): string {
    const count = dims.reduce((a, b) => a * b, 1);
    return this.graph.addConstant(hint, { dtype: 'f32', dims, data: Float32Array.from(values ?? wave(count, this.seed++)) });
  }

  node(op: string, inputs: string[], output: string, attributes: Attributes = {}, dtype: DType = 'f32'): string {
    const given = [...inputs];
    while (given.at(-1) === '') given.pop();
    this.value(output, dtype);
    this.graph.nodes.push({ name: `/${output}`, op, inputs: given, outputs: [output], attributes });
    return output;
  }

  norm(x: string, name: string): string {
    return this.node('LayerNorm', [x, this.constant(`${name}.weight`, [HIDDEN]), this.constant(`${name}.bias`, [HIDDEN])], name, { epsilon: 1e-12 });
  }

  range(name: string, min: number, max: number): [string, string] {
    return [this.constant(`${name}_min`, [1], [min]), this.constant(`${name}_max`, [1], [max])];
  }

  /** A product of the layer; `dtype` is what it gives where the layer is 8-bit. */
  product(x: Operand, name: string, width: number, options: { residual?: string; activation?: string; dtype?: DType } = {}): Operand {
    const { residual = '', activation = 'none', dtype = 'f32' } = options;
    const attributes = { transposed: this.options.transposed ?? false, activation, output_dtype: this.integer ? dtype : 'f32' };
    const bias = this.constant(`${name}.bias`, [width]);
    const dims = this.options.transposed ? [width, x.width] : [x.width, width];
    if (!this.integer) {
      this.node('InnerProduct', [x.value, this.constant(`${name}.weight`, dims), bias, residual], name, attributes);
      return { value: name, width };
    }
    const codes = Int8Array.from({ length: x.width * width }, (_, i) => Math.round(Math.sin(i * 1.3 + this.seed) * 127));
    const weight = this.graph.addConstant(`${name}.weight_quantized`, { dtype: 's8', dims, data: codes });
    const weightRange = [
      this.constant(`${name}.weight_min`, [width], new Float32Array(width).fill(-0.5)),
      this.constant(`${name}.weight_max`, [width], new Float32Array(width).fill(0.5)),
    ];
    const own = dtype === 'f32' ? undefined : this.range(name, dtype === 's8' ? -3 : -1, 3);
    this.node('InnerProduct', [x.value, weight, bias, residual, ...x.range!, ...weightRange, '', '', ...(own ?? [])], name, attributes, dtype);
    return { value: name, width, ...(own ? { range: own } : {}) };
  }

  quantize(x: string, width: number): Operand {
    if (!this.integer) return { value: x, width };
    const range = this.range(x, -3, 3);
    return { value: this.node('Quantize', [x, ...range], `${x}_quant`, { dtype: 'u8' }, 'u8'), width, range };
  }

  private get integer(): boolean {
    return (this.options.codes ?? 'none') !== 'none';
  }

  attention(q: Operand, k: Operand, v: Operand, mask: string): Operand {
    const form = { heads: HEADS, scale: 0.5 };
    if (this.options.codes === 's8') {
      const range = this.range('context', -2, 2);
      const inputs = [q.value, k.value, v.value, mask, ...q.range!, ...k.range!, ...v.range!, ...range];
      return { value: this.node('Attention', inputs, 'context', { ...form, probability_max: 0.75, output_dtype: 'u8' }, 'u8'), width: HIDDEN, range };
    }
    if (this.options.codes !== 'values') return { value: this.node('Attention', [q.value, k.value, v.value, mask], 'context', form), width: HIDDEN };
    const values = this.node('Dequantize', [v.value, ...v.range!], 'context/v');
    const context = this.node('Attention', [q.value, k.value, values, mask], 'context/f32', { ...form, output_dtype: 'f32' });
    const range = this.range('context', -2, 2);
    return { value: this.node('Quantize', [context, ...range], 'context', { dtype: 'u8' }, 'u8'), width: HIDDEN, range };
  }

  build(): Graph {
    const { graph, options } = this;
    const tokens = ['batch', 'sequence'];
    graph.inputs = ['input_ids', ...(options.tokenTypes ? ['token_type_ids'] : []), 'attention_mask'].map((name) => this.value(name, 's32', tokens));
    const mask = this.node('PaddingMask', ['attention_mask'], 'padding', { value: -10000 });
    const types = options.tokenTypes ? ['token_type_ids', this.constant('types', [2, HIDDEN])] : [];
    const tables = [this.constant('words', [20, HIDDEN]), this.constant('positions', [16, HIDDEN])];
    const embedded = this.norm(this.node('Embeddings', ['input_ids', ...tables, ...types], 'embedded'), 'norm0');
    const x = this.quantize(embedded, HIDDEN);
    const code = options.codes === 's8' ? 's8' : 'f32';
    const [q, k] = ['q', 'k'].map((name) => this.product(x, name, HIDDEN, { dtype: code })) as [Operand, Operand];
    const v = this.product(x, 'v', HIDDEN, { dtype: 's8' });
    const attended = this.norm(this.product(this.attention(q, k, v, mask), 'out', HIDDEN, { residual: embedded }).value, 'norm1');
    const inner = this.product(this.quantize(attended, HIDDEN), 'inner', 2 * HIDDEN, { activation: options.activation ?? 'gelu_tanh', dtype: 'u8' });
    const last = this.norm(this.product(inner, 'outer', HIDDEN, { residual: attended }).value, 'norm2');
    graph.outputs = this.head(last);
    inferShapes(graph);
    verifyGraph(graph);
    return graph;
  }

  private head(last: string): string[] {
    const integers = (name: string, values: number[], dims = [values.length]): string =>
      this.graph.addConstant(name, { dtype: 's64', dims, data: BigInt64Array.from(values, BigInt) } satisfies Tensor);
    switch (this.options.head ?? 'logits') {
      case 'tokens':
        return [last];
      case 'logits':
        return [this.product(this.quantize(last, HIDDEN), 'logits', 2).value];
      case 'first-token': {
        const first = this.node('Gather', [last, integers('zero', [0], [])], 'first', { axis: 1 });
        const pooled = this.node('InnerProduct', [first, this.constant('pool', [HIDDEN, HIDDEN]), this.constant('pool_bias', [HIDDEN])], 'pooled', {
          transposed: true,
          activation: 'tanh',
        });
        return [this.node('InnerProduct', [pooled, this.constant('classes', [3, HIDDEN])], 'scores', { transposed: true })];
      }
      case 'span': {
        const logits = this.product(this.quantize(last, HIDDEN), 'span', 2).value;
        const halves = ['half_0', 'half_1'].map((name) => this.value(name, 'f32'));
        this.graph.nodes.push({ name: '/split', op: 'Split', inputs: [logits, integers('ones', [1, 1])], outputs: halves, attributes: { axis: -1 } });
        const axes = integers('axes', [2]);
        return ['start_logits', 'end_logits'].map((name, i) => this.node('Squeeze', [halves[i]!, axes], name));
      }
    }
  }
}

interface Operand {
  readonly value: string;
  readonly width: number;
  /** Min and max of an 8-bit one. */
  readonly range?: readonly [string, string];
}

/** An encoder by its options. */
export const encoder = (options: EncoderOptions = {}): Graph => new EncoderBuilder(options).build();
