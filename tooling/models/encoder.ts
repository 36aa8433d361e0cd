import {
  makeGraph,
  makeModel,
  makeNode,
  makeTensor,
  makeValueInfo,
  type OnnxAttribute,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValueInfo,
} from '@neural-engine/onnx';

/** Shape of a generated encoder. */
export interface EncoderShape {
  readonly family: 'bert' | 'distilbert';
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly ffn: number;
  readonly vocabulary: number;
  readonly positions: number;
  /** Share of zero 4x1 blocks (four outputs at one input) in every Linear of every layer. */
  readonly sparsity?: number;
  readonly seed?: number;
  /** Only the layers: inputs `x`, f32 [batch, sequence, hidden], and `attention_mask`, output `y` of the same shape as `x`. */
  readonly body?: boolean;
}

/** The shapes that the figures are about. */
export const BASE: Omit<EncoderShape, 'family'> = { layers: 6, hidden: 768, heads: 12, ffn: 3072, vocabulary: 30522, positions: 512 };

/**
 * A BERT or DistilBERT question-answering model with random weights, operator by operator as an exporter writes it: decomposed LayerNorm
 * and GELU, heads split by Reshape and Transpose. Inputs `input_ids`, `attention_mask` (and `token_type_ids`), outputs `start_logits` and
 * `end_logits`. Weights are scaled so that activations keep their size from layer to layer.
 */
export function encoderModel(shape: EncoderShape): OnnxModel {
  return new EncoderBuilder(shape).build();
}

const int = (value: number): OnnxAttribute => ({ type: 'int', value: BigInt(value) });
const ints = (value: readonly number[]): OnnxAttribute => ({ type: 'ints', value: value.map(BigInt) }) as OnnxAttribute;

class EncoderBuilder {
  private readonly nodes: OnnxNode[] = [];
  private readonly tensors: OnnxTensor[] = [];
  private state: number;

  constructor(private readonly shape: EncoderShape) {
    this.state = (shape.seed ?? 1) >>> 0;
  }

  build(): OnnxModel {
    const { family, layers, hidden, body } = this.shape;
    const dims = ['batch', 'sequence'];
    let x = body ? 'x' : this.embeddings();
    const mask = this.mask();
    for (let layer = 0; layer < layers; layer++) x = this.layer(x, mask, `layer.${layer}`);
    if (body) {
      this.nodes.push(makeNode('Identity', [x], ['y'], { name: 'last' }));
      return this.model(
        [makeValueInfo('x', 'f32', [...dims, hidden]), makeValueInfo('attention_mask', 's64', dims)],
        [makeValueInfo('y', 'f32', [...dims, hidden])],
      );
    }
    const inputs = ['input_ids', 'attention_mask', ...(family === 'bert' ? ['token_type_ids'] : [])];
    const logits = this.linear(x, hidden, 2, 'qa_outputs', 0);
    const parts = ['start', 'end'];
    this.nodes.push(makeNode('Split', [logits], parts, { name: 'split', attributes: { axis: int(-1) } }));
    const axis = this.constant('last', [-1]);
    for (const part of parts) this.nodes.push(makeNode('Squeeze', [part, axis], [`${part}_logits`], { name: `${part}_squeeze` }));
    return this.model(
      inputs.map((name) => makeValueInfo(name, 's64', dims)),
      parts.map((part) => makeValueInfo(`${part}_logits`, 'f32', dims)),
    );
  }

  private model(inputs: readonly OnnxValueInfo[], outputs: readonly OnnxValueInfo[]): OnnxModel {
    return makeModel(makeGraph({ name: this.shape.family, nodes: this.nodes, inputs, outputs, initializers: this.tensors }), {
      opsets: 14,
    });
  }

  private layer(x: string, mask: string, name: string): string {
    const { hidden, heads, ffn, family } = this.shape;
    const size = hidden / heads;
    const split = this.constant(`${name}.split`, [0, 0, heads, size]);
    const project = (what: string, perm: readonly number[]): string =>
      this.op('Transpose', [this.op('Reshape', [this.linear(x, hidden, hidden, `${name}.${what}`), split])], { perm: ints(perm) });
    const [q, k, v] = [project('query', [0, 2, 1, 3]), project('key', [0, 2, 3, 1]), project('value', [0, 2, 1, 3])];
    const root = this.scalar(Math.sqrt(size));
    // DistilBERT scales the queries and replaces masked scores; BERT scales the scores and adds to them.
    const scores =
      family === 'distilbert' ? this.op('MatMul', [this.op('Div', [q, root]), k]) : this.op('Div', [this.op('MatMul', [q, k]), root]);
    const masked =
      family === 'distilbert' ? this.op('Where', [mask, this.scalar(-3.4028234663852886e38), scores]) : this.op('Add', [scores, mask]);
    const context = this.op('MatMul', [this.op('Softmax', [masked], { axis: int(-1) }), v]);
    const merged = this.op('Reshape', [
      this.op('Transpose', [context], { perm: ints([0, 2, 1, 3]) }),
      this.constant(`${name}.merge`, [0, 0, hidden]),
    ]);
    const attended = this.layerNorm(this.op('Add', [this.linear(merged, hidden, hidden, `${name}.output`), x]), `${name}.attention_norm`);
    const middle = this.gelu(this.linear(attended, hidden, ffn, `${name}.ffn1`));
    return this.layerNorm(this.op('Add', [this.linear(middle, ffn, hidden, `${name}.ffn2`), attended]), `${name}.output_norm`);
  }

  private embeddings(): string {
    const { family, hidden, vocabulary, positions } = this.shape;
    const word = this.op('Gather', [this.weight('word', [vocabulary, hidden], 1), 'input_ids']);
    const length = this.op('Gather', [this.op('Shape', ['input_ids']), this.constant('one', [1])], { axis: int(0) });
    const ids = this.add(
      makeTensor(
        'position_ids',
        's64',
        [1, positions],
        BigInt64Array.from({ length: positions }, (_, i) => BigInt(i)),
      ),
    );
    const some = this.op('Slice', [ids, this.constant('from', [0]), length, this.constant('axis', [1]), this.constant('step', [1])]);
    const position = this.op('Gather', [this.weight('position', [positions, hidden], 0.3), some]);
    const typed =
      family === 'bert' ? this.op('Add', [word, this.op('Gather', [this.weight('type', [2, hidden], 0.3), 'token_type_ids'])]) : word;
    return this.layerNorm(this.op('Add', [typed, position]), 'embeddings_norm');
  }

  private mask(): string {
    if (this.shape.family === 'bert') {
      const wide = this.op('Unsqueeze', ['attention_mask', this.constant('mask_axes', [1, 2])]);
      const cast = this.op('Cast', [wide], { to: int(1) });
      return this.op('Mul', [this.op('Sub', [this.scalar(1), cast]), this.scalar(-10000)]);
    }
    const isPadding = this.op('Equal', ['attention_mask', this.add(makeTensor('zero', 's64', [], BigInt64Array.of(0n)))]);
    return this.op('Unsqueeze', [isPadding, this.constant('mask_axes', [1, 2])]);
  }

  private layerNorm(x: string, name: string): string {
    const { hidden } = this.shape;
    const centered = this.op('Sub', [x, this.op('ReduceMean', [x], { axes: ints([-1]) })]);
    const variance = this.op('ReduceMean', [this.op('Pow', [centered, this.scalar(2)])], { axes: ints([-1]) });
    const normal = this.op('Div', [centered, this.op('Sqrt', [this.op('Add', [variance, this.scalar(1e-12)])])]);
    const gamma = this.random(hidden, 0.1).map((value) => 1 + value);
    const scaled = this.op('Mul', [normal, this.add(makeTensor(`${name}.weight`, 'f32', [hidden], gamma))]);
    return this.op('Add', [scaled, this.weight(`${name}.bias`, [hidden], 0.1)]);
  }

  private gelu(x: string): string {
    const erf = this.op('Erf', [this.op('Div', [x, this.scalar(Math.SQRT2)])]);
    return this.op('Mul', [this.op('Mul', [x, this.op('Add', [erf, this.scalar(1)])]), this.scalar(0.5)]);
  }

  private linear(x: string, k: number, n: number, name: string, sparsity = this.shape.sparsity ?? 0): string {
    const kept = Math.max(1 - sparsity, 0.01);
    const data = this.random(k * n, Math.sqrt(3 / (k * kept)));
    if (sparsity > 0) {
      for (let i = 0; i < k; i++)
        for (let block = 0; block < n; block += 4) if (this.next() < sparsity) data.fill(0, i * n + block, i * n + block + 4);
    }
    const product = this.op('MatMul', [x, this.add(makeTensor(`${name}.weight`, 'f32', [k, n], data))]);
    return this.op('Add', [this.weight(`${name}.bias`, [n], 0.1), product]);
  }

  private weight(name: string, dims: readonly number[], size: number): string {
    return this.add(
      makeTensor(
        name,
        'f32',
        dims,
        this.random(
          dims.reduce((a, b) => a * b, 1),
          size,
        ),
      ),
    );
  }

  private constant(name: string, values: readonly number[]): string {
    return this.add(makeTensor(name, 's64', [values.length], BigInt64Array.from(values, BigInt)));
  }

  private scalar(value: number): string {
    return this.add(makeTensor(`scalar_${this.tensors.length}`, 'f32', [], Float32Array.of(value)));
  }

  private add(tensor: OnnxTensor): string {
    if (!this.tensors.some((other) => other.name === tensor.name)) this.tensors.push(tensor);
    return tensor.name;
  }

  private op(type: string, inputs: readonly string[], attributes: Record<string, OnnxAttribute> = {}): string {
    const output = `${type}_${this.nodes.length}`;
    this.nodes.push(makeNode(type, inputs, [output], { name: `${output}_node`, attributes }));
    return output;
  }

  private random(count: number, size: number): Float32Array {
    const values = new Float32Array(count);
    for (let i = 0; i < count; i++) values[i] = (this.next() * 2 - 1) * size;
    return values;
  }

  /** mulberry32, so that the same seed gives the same model everywhere. */
  private next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }
}
