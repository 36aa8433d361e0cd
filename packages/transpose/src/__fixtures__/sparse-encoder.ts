import type { DType, Tensor } from '@neural-engine/core';
import { type Attributes, Graph, inferShapes, verifyGraph } from '@neural-engine/ir';

export const HIDDEN = 8;

export interface SparseEncoderOptions {
  readonly layers?: number;
  /** Share of zero 4x1 blocks by name of a product; 0.75 unless given. */
  readonly zeros?: Readonly<Record<string, number>>;
  readonly activation?: string;
  /** Output channels of the head. */
  readonly classes?: number;
}

interface Codes {
  readonly value: string;
  readonly width: number;
  readonly range: readonly [string, string];
}

const f32 = (dims: number[], values: ArrayLike<number>): Tensor => ({ dtype: 'f32', dims, data: Float32Array.from(values) });

/** An int8 encoder with 4x1-sparse weights: Quantize, three products, Attention, products with residuals, LayerNorms, a head. */
class Builder {
  readonly graph = new Graph('sparse');
  private seed = 1;

  constructor(private readonly options: SparseEncoderOptions) {}

  private random(): number {
    this.seed = (this.seed * 48271) % 2147483647;
    return this.seed / 2147483647;
  }

  private floats(name: string, count: number, scale = 1): string {
    return this.graph.addConstant(name, f32([count], Float32Array.from({ length: count }, () => (this.random() - 0.5) * scale)));
  }

  private node(op: string, inputs: string[], output: string, attributes: Attributes, dtype: DType = 'f32'): string {
    this.graph.addValue({ name: output, dtype, shape: undefined });
    this.graph.nodes.push({ name: `/${output}`, op, inputs, outputs: [output], attributes });
    return output;
  }

  private range(name: string, bound: number): readonly [string, string] {
    return [this.graph.addConstant(`${name}_min`, f32([1], [-bound])), this.graph.addConstant(`${name}_max`, f32([1], [bound]))];
  }

  /** Zero blocks are spread evenly, so that the share is met as closely as the size allows. */
  private weight(name: string, inputs: number, outputs: number): string {
    const zeros = this.options.zeros?.[name] ?? 0.75;
    const data = new Int8Array(inputs * outputs);
    for (let block = 0; block < Math.ceil(outputs / 4); block++) {
      for (let k = 0; k < inputs; k++) {
        const at = block * inputs + k;
        if (Math.floor((at + 1) * zeros) > Math.floor(at * zeros)) continue;
        for (let n = block * 4; n < Math.min(outputs, block * 4 + 4); n++) data[k * outputs + n] = Math.round((this.random() - 0.5) * 250) || 1;
      }
    }
    return this.graph.addConstant(`${name}.weight`, { dtype: 's8', dims: [inputs, outputs], data });
  }

  private product(x: Codes, name: string, width: number, dtype: DType = 'f32', residual = '', activation = 'none'): Codes {
    const bound = new Float32Array(width).fill(0.4);
    const range = this.range(name, 4);
    const inputs = [
      x.value,
      this.weight(name, x.width, width),
      this.floats(`${name}.bias`, width),
      residual,
      ...x.range,
      this.graph.addConstant(`${name}.weight_min`, f32([width], bound.map((value) => -value))),
      this.graph.addConstant(`${name}.weight_max`, f32([width], bound)),
      ...(dtype === 'f32' ? [] : ['', '', ...range]),
    ];
    return { value: this.node('InnerProduct', inputs, name, { activation, output_dtype: dtype }, dtype), width, range };
  }

  private quantize(x: string): Codes {
    const range = this.range(x, 4);
    return { value: this.node('Quantize', [x, ...range], `${x}_u8`, { dtype: 'u8' }, 'u8'), width: HIDDEN, range };
  }

  private norm(x: string, name: string): string {
    return this.node('LayerNorm', [x, this.floats(`${name}.weight`, HIDDEN, 2), this.floats(`${name}.bias`, HIDDEN)], name, { epsilon: 1e-12 });
  }

  build(): Graph {
    const { graph, options } = this;
    for (const name of ['input_ids', 'attention_mask']) graph.addValue({ name, dtype: 's32', shape: ['batch', 'sequence'] });
    graph.inputs = ['input_ids', 'attention_mask'];
    const mask = this.node('PaddingMask', ['attention_mask'], 'padding', { value: -10000 });
    const table = (name: string, rows: number): string =>
      graph.addConstant(name, f32([rows, HIDDEN], Float32Array.from({ length: rows * HIDDEN }, () => this.random() - 0.5)));
    let x = this.norm(this.node('Embeddings', ['input_ids', table('words', 16), table('positions', 16)], 'embedded', {}), 'norm');
    for (let layer = 0; layer < (options.layers ?? 2); layer++) {
      const codes = this.quantize(x);
      const [q, k, v] = ['q', 'k', 'v'].map((name) => this.product(codes, `${layer}.${name}`, HIDDEN, 's8')) as [Codes, Codes, Codes];
      const range = this.range(`${layer}.context`, 2);
      const ranges = [...q.range, ...k.range, ...v.range, ...range];
      const form = { heads: 2, scale: 0.5, output_dtype: 'u8' };
      const context = this.node('Attention', [q.value, k.value, v.value, mask, ...ranges], `${layer}.context`, form, 'u8');
      const out = this.product({ value: context, width: HIDDEN, range }, `${layer}.out`, HIDDEN, 'f32', x);
      const middle = this.norm(out.value, `${layer}.norm1`);
      const inner = this.product(this.quantize(middle), `${layer}.ffn1`, 16, 'u8', '', options.activation ?? 'gelu_tanh');
      x = this.norm(this.product(inner, `${layer}.ffn2`, HIDDEN, 'f32', middle).value, `${layer}.norm2`);
    }
    graph.outputs = [this.product(this.quantize(x), 'head', options.classes ?? 2).value];
    inferShapes(graph);
    verifyGraph(graph);
    return graph;
  }
}

export const sparseEncoder = (options: SparseEncoderOptions = {}): Graph => new Builder(options).build();
