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
} from '@neural-engine/onnx';
import { random } from './feeds';

export interface BodyShape {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly ffn: number;
}

/**
 * The forms in which ONNX Runtime runs an encoder fastest, with its own fused operators written out:
 * - `fp32`: MatMul, MultiHeadAttention, SkipLayerNormalization, Gelu;
 * - `dynamic`: DynamicQuantizeMatMul and QAttention, scales found while running;
 * - `qdq`: the fp32 graph with QuantizeLinear and DequantizeLinear around each product, per-channel s8 weights.
 */
export type OrtForm = 'fp32' | 'dynamic' | 'qdq';

const CONTRIB = 'com.microsoft';
const f = (value: number): OnnxAttribute => ({ type: 'float', value });
const i = (value: number): OnnxAttribute => ({ type: 'int', value: BigInt(value) });

/** Encoder layers from f32 `x` [batch, sequence, hidden] and s32 `mask` to `y`, with random weights: their values do not change the speed. */
export const ortBody = (form: OrtForm, shape: BodyShape): OnnxModel => new BodyBuilder(form, shape).build();

class BodyBuilder {
  private readonly nodes: OnnxNode[] = [];
  private readonly tensors: OnnxTensor[] = [];
  private readonly quantized = new Map<string, string>();
  private readonly next = random(12345);

  constructor(
    private readonly form: OrtForm,
    private readonly shape: BodyShape,
  ) {}

  build(): OnnxModel {
    let x = 'x';
    for (let layer = 0; layer < this.shape.layers; layer++) x = this.layer(x, `l${layer}`);
    this.nodes.push(makeNode('Identity', [x], ['y']));
    const dims = ['B', 'S', this.shape.hidden];
    return makeModel(
      makeGraph({
        name: `body-${this.form}`,
        nodes: this.nodes,
        inputs: [makeValueInfo('x', 'f32', dims), makeValueInfo('mask', 's32', ['B', 'S'])],
        outputs: [makeValueInfo('y', 'f32', dims)],
        initializers: this.tensors,
      }),
      { opsets: { '': 17, [CONTRIB]: 1 } },
    );
  }

  private layer(x: string, name: string): string {
    const { hidden, ffn } = this.shape;
    const attended = this.norm(this.linear(this.attention(x, name), hidden, hidden, `${name}.o`), x, `${name}.n1`);
    const middle = this.op('Gelu', [this.linear(attended, hidden, ffn, `${name}.f1`)], {}, CONTRIB);
    return this.norm(this.linear(middle, ffn, hidden, `${name}.f2`), attended, `${name}.n2`);
  }

  private attention(x: string, name: string): string {
    const { hidden, heads } = this.shape;
    if (this.form !== 'dynamic') {
      const [q, k, v] = ['q', 'k', 'v'].map((part) => this.linear(x, hidden, hidden, `${name}.${part}`));
      return this.op('MultiHeadAttention', [q!, k!, v!, '', 'mask'], { num_heads: i(heads) }, CONTRIB);
    }
    const [codes, scale, zero] = ['q', 's', 'z'].map((part) => `${name}.x${part}`) as [string, string, string];
    this.nodes.push(makeNode('DynamicQuantizeLinear', [x], [codes, scale, zero]));
    const weight = this.codes(`${name}.qkv`, [hidden, 3 * hidden]);
    const bias = this.floats(`${name}.qkv.bias`, [3 * hidden], () => 0.01);
    const weightScale = this.floats(`${name}.qkv.scale`, [1], () => 0.002);
    const inputs = [codes, weight, bias, scale, weightScale, 'mask', zero, this.tensor(`${name}.qkv.zero`, 's8', [1], new Int8Array(1))];
    return this.op('QAttention', inputs, { num_heads: i(heads) }, CONTRIB);
  }

  private linear(x: string, k: number, n: number, name: string): string {
    const bias = this.floats(`${name}.bias`, [n], () => (this.next() - 0.5) * 0.1);
    if (this.form === 'fp32') {
      const weight = this.floats(`${name}.weight`, [k, n], () => (this.next() - 0.5) * 0.05);
      return this.op('Add', [this.op('MatMul', [x, weight]), bias]);
    }
    const weight = this.codes(`${name}.weight`, [k, n]);
    if (this.form === 'dynamic') {
      const scale = this.floats(`${name}.scale`, [1], () => 0.002);
      const zero = this.tensor(`${name}.zero`, 's8', [1], new Int8Array(1));
      return this.op('DynamicQuantizeMatMul', [x, weight, scale, zero, bias], {}, CONTRIB);
    }
    const scale = this.floats(`${name}.scale`, [n], () => 0.002);
    const zero = this.tensor(`${name}.zero`, 's8', [n], new Int8Array(n));
    const values = this.op('DequantizeLinear', [weight, scale, zero], { axis: i(1) });
    return this.op('Add', [this.op('MatMul', [this.quantize(x), values]), bias]);
  }

  private quantize(x: string): string {
    const known = this.quantized.get(x);
    if (known) return known;
    const scale = this.floats(`${x}.scale`, [], () => 0.03);
    const zero = this.tensor(`${x}.zero`, 'u8', [], Uint8Array.of(128));
    const values = this.op('DequantizeLinear', [this.op('QuantizeLinear', [x, scale, zero]), scale, zero]);
    this.quantized.set(x, values);
    return values;
  }

  private norm(x: string, residual: string, name: string): string {
    const { hidden } = this.shape;
    const gamma = this.floats(`${name}.gamma`, [hidden], () => 1);
    const beta = this.floats(`${name}.beta`, [hidden], () => 0);
    return this.op('SkipLayerNormalization', [x, residual, gamma, beta], { epsilon: f(1e-12) }, CONTRIB);
  }

  private op(type: string, inputs: readonly string[], attributes: Record<string, OnnxAttribute> = {}, domain = ''): string {
    const output = `${type}_${this.nodes.length}`;
    this.nodes.push(makeNode(type, inputs, [output], { name: output, domain, attributes }));
    return output;
  }

  private floats(name: string, dims: readonly number[], value: () => number): string {
    const count = dims.reduce((a, b) => a * b, 1);
    return this.tensor(name, 'f32', dims, Float32Array.from({ length: count }, value));
  }

  private codes(name: string, dims: readonly number[]): string {
    const count = dims.reduce((a, b) => a * b, 1);
    return this.tensor(
      name,
      's8',
      dims,
      Int8Array.from({ length: count }, () => (this.next() + this.next() + this.next() - 1.5) * 60),
    );
  }

  private tensor(name: string, dtype: 'f32' | 's8' | 'u8', dims: readonly number[], data: Float32Array | Int8Array | Uint8Array): string {
    this.tensors.push(makeTensor(name, dtype, dims, data));
    return name;
  }
}

/** One int8 product of ONNX Runtime, u8 `x` [M, k] times s8 [k, n]; `none` passes the input on, which is what a call costs without one. */
export function ortProduct(form: 'QLinearMatMul' | 'MatMulInteger' | 'none', k: number, n: number): OnnxModel {
  const next = random(9);
  const scalar = (name: string, value: number): OnnxTensor => makeTensor(name, 'f32', [], Float32Array.of(value));
  const zero = (name: string): OnnxTensor => makeTensor(name, 'u8', [], Uint8Array.of(128));
  const weight = makeTensor(
    'w',
    's8',
    [k, n],
    Int8Array.from({ length: k * n }, () => (next() + next() + next() - 1.5) * 60),
  );
  const forms = {
    QLinearMatMul: {
      tensors: [
        weight,
        scalar('xs', 0.02),
        zero('xz'),
        makeTensor('ws', 'f32', [n], new Float32Array(n).fill(0.002)),
        makeTensor('wz', 's8', [n], new Int8Array(n)),
        scalar('ys', 0.05),
        zero('yz'),
      ],
      inputs: ['x', 'xs', 'xz', 'w', 'ws', 'wz', 'ys', 'yz'],
      op: 'QLinearMatMul',
      output: makeValueInfo('y', 'u8', ['M', n]),
    },
    MatMulInteger: {
      tensors: [weight, zero('xz'), makeTensor('wz', 's8', [], new Int8Array(1))],
      inputs: ['x', 'w', 'xz', 'wz'],
      op: 'MatMulInteger',
      output: makeValueInfo('y', 's32', ['M', n]),
    },
    none: { tensors: [], inputs: ['x'], op: 'Identity', output: makeValueInfo('y', 'u8', ['M', k]) },
  } as const;
  const { tensors, inputs, op, output } = forms[form];
  return makeModel(
    makeGraph({
      nodes: [makeNode(op, inputs, ['y'])],
      inputs: [makeValueInfo('x', 'u8', ['M', k])],
      outputs: [output],
      initializers: tensors,
    }),
  );
}
