import { EngineError, s64, type Tensor } from '@neural-engine/core';
import { Graph, type Node } from '../../graph';
import { inferShapes } from '../../infer';
import type { IrConfig, IrOperator, IrTensor } from '../config';
import { dtypeFromFile } from '../dtypes';
import { ACTIVATIONS, headsOf, OriginalAttributes, outputDtype } from './attributes';
import { unfoldBias } from './integer-bias';
import { liftMatmul, liftMultiHeadAttention, liftSoftmax } from './lift-attention';
import { dynamicForm, liftDynamicProduct } from './lift-dynamic';
import { readLinearInputs } from './linear-inputs';
import { PADDING_VALUE } from './lower-embeddings';
import type { View } from './view';

/** The original names tensors with an output number, as TensorFlow does. */
const plainName = (name: string): string => name.replace(/:0$/, '');

function outputOf(operator: IrOperator): IrTensor {
  const [output] = operator.outputs;
  if (!output) throw new EngineError('E_IR', 'ir', `operator "${operator.name}" has no output`, { where: operator.name });
  return output;
}

/** Operators that may give codes with the scales they found. */
const DYNAMIC = new Set(['Quantize', 'InnerProduct', 'MultiHeadAttention']);

/**
 * The graph of a file that the original wrote: encoders in fp32, bf16 (products on bf16, the rest in f32), dynamic int8 and static int8,
 * transposed or not.
 *
 * @throws {EngineError} E_UNSUPPORTED all operators that have no counterpart; E_IR an operator reads what is not there.
 */
export function liftOriginal(config: IrConfig, constants: ReadonlyMap<string, Tensor>): Graph {
  const unsupported = config.operators.filter(({ type }) => type !== 'Input' && type !== 'Output' && !Object.hasOwn(LIFTERS, type));
  const dynamic = config.operators.filter(({ outputs, type }) => outputs.length > 1 && Object.hasOwn(LIFTERS, type) && !DYNAMIC.has(type));
  const reasons = [
    ...unsupported.map((operator) => `"${operator.name}" (${operator.type})`),
    ...dynamic.map((operator) => `"${operator.name}" (${operator.type} with scales computed at run time)`),
  ];
  if (reasons.length > 0) {
    const shown = reasons.slice(0, 20).join(', ');
    throw new EngineError(
      'E_UNSUPPORTED',
      'ir',
      `${reasons.length} operators are not supported: ${shown}${reasons.length > 20 ? ', …' : ''}`,
    );
  }
  return new Lift(config, constants).graph;
}

class Lift {
  readonly graph: Graph;
  private readonly views = new Map<string, View>();
  /** What products multiply: constants among it keep their bf16. */
  private readonly factors: ReadonlySet<string>;

  constructor(config: IrConfig, constants: ReadonlyMap<string, Tensor>) {
    this.graph = new Graph(config.name);
    const products = config.operators.filter(({ type }) => type === 'InnerProduct');
    this.factors = new Set(products.flatMap(({ inputs }) => inputs.slice(0, 2)));
    for (const operator of config.operators) {
      if (operator.type === 'Input') this.readInputs(operator, constants);
      else if (operator.type === 'Output') this.graph.outputs.push(...operator.inputs.map((name) => this.value(name, operator)));
      else this.setView(operator, LIFTERS[operator.type]!(this, operator, new OriginalAttributes(operator)));
    }
    inferShapes(this.graph);
  }

  view(name: string, operator: IrOperator): View {
    const view = this.views.get(name);
    if (!view)
      throw new EngineError('E_IR', 'ir', `operator "${operator.name}" reads "${name}", which nothing makes`, { where: operator.name });
    return view;
  }

  setView(operator: IrOperator, view: View): void {
    const output = outputOf(operator);
    if (this.views.has(output.name)) throw new EngineError('E_IR', 'ir', `two operators make "${output.name}"`, { where: output.name });
    this.views.set(output.name, view);
    for (const { name } of operator.outputs.slice(1)) this.views.set(name, { kind: 'scale' });
  }

  /** The value behind an activation or another computed tensor; sums of embeddings become a node here. */
  value(name: string, operator: IrOperator): string {
    const view = this.view(name, operator);
    switch (view.kind) {
      case 'tokens':
      case 'plain':
      case 'input':
      case 'constant':
        return view.name;
      case 'embeddings':
        return this.embeddings(view, name);
      default:
        throw new EngineError(
          'E_UNSUPPORTED',
          'ir',
          `operator "${operator.name}" (${operator.type}) reads "${name}", which is ${view.kind}`,
          { where: operator.name },
        );
    }
  }

  constant(name: string, operator: IrOperator): string {
    const view = this.view(name, operator);
    if (view.kind !== 'constant')
      throw new EngineError('E_IR', 'ir', `operator "${operator.name}": "${name}" must be a constant`, { where: operator.name });
    return view.name;
  }

  isConstant(name: string): boolean {
    return this.views.get(name)?.kind === 'constant';
  }

  isInput(name: string): boolean {
    return this.views.get(name)?.kind === 'input';
  }

  add(
    operator: IrOperator,
    op: string,
    inputs: string[],
    attributes: Node['attributes'],
    dtype: 'f32' | 'u8' | 's8' = 'f32',
    suffix = '',
  ): string {
    const name = this.graph.addValue({
      name: this.graph.freeName(plainName(outputOf(operator).name) + suffix),
      dtype,
      shape: undefined,
    }).name;
    this.graph.nodes.push({ name: operator.name + suffix, op, inputs, outputs: [name], attributes });
    return name;
  }

  private embeddings(view: Extract<View, { kind: 'embeddings' }>, name: string): string {
    // The tables were added innermost first; the last one gathered is the word table.
    const word = view.gathered[view.gathered.length - 1]!;
    const types = view.gathered.length > 1 ? view.gathered[0]! : undefined;
    const output = this.graph.addValue({ name: this.graph.freeName(plainName(name)), dtype: 'f32', shape: undefined }).name;
    const inputs = [word.ids, word.table, view.position ?? '', types?.ids ?? '', types?.table ?? ''];
    while (inputs[inputs.length - 1] === '') inputs.pop();
    this.graph.nodes.push({ name: `${plainName(name)}/embeddings`, op: 'Embeddings', inputs, outputs: [output], attributes: {} });
    this.views.set(name, { kind: 'tokens', name: output });
    return output;
  }

  private readInputs(operator: IrOperator, constants: ReadonlyMap<string, Tensor>): void {
    for (const { name, dtype, shape, location } of operator.outputs) {
      const constant = location ? constants.get(name) : undefined;
      if (constant) {
        const data = this.factors.has(name) ? constant : widenBf16(constant);
        this.graph.addValue({ name, dtype: data.dtype, shape: data.dims, constant: data });
        this.views.set(name, { kind: 'constant', name });
        continue;
      }
      const symbols = ['batch', 'sequence'];
      const value = plainName(name);
      this.graph.addValue({
        name: value,
        dtype: dtypeFromFile(dtype ?? 'fp32', name),
        shape: (shape ?? []).map((dim, axis) => (dim < 0 ? (symbols[axis] ?? null) : dim)),
      });
      this.graph.inputs.push(value);
      this.views.set(name, { kind: 'input', name: value });
    }
  }
}

function widenBf16(tensor: Tensor): Tensor {
  if (tensor.dtype !== 'bf16') return tensor;
  const bits = tensor.data as Uint16Array;
  const data = new Float32Array(bits.length);
  const raw = new Uint32Array(data.buffer);
  bits.forEach((half, i) => {
    raw[i] = half << 16;
  });
  return { dtype: 'f32', dims: tensor.dims, data };
}

type Lifter = (lift: Lift, operator: IrOperator, attributes: OriginalAttributes) => View;

function liftReshape(lift: Lift, operator: IrOperator, attributes: OriginalAttributes): View {
  const source = lift.view(operator.inputs[0]!, operator);
  if (source.kind === 'constant' && operator.inputs.length === 2) return { kind: 'positions', table: source.name };
  const dims = attributes.integers('dst_shape') ?? [-1];
  const heads = headsOf(dims);
  if (source.kind === 'tokens' && heads) return { ...source, heads };
  if (source.kind !== 'plain') return source;
  const shape = lift.graph.addConstant(`${operator.name}/shape`, s64(dims));
  return { kind: 'plain', name: lift.add(operator, 'Reshape', [source.name, shape], {}) };
}

function liftGather(lift: Lift, operator: IrOperator, attributes: OriginalAttributes): View {
  const [ids, table, added] = operator.inputs as [string, string, string | undefined];
  const gathered = { ids: lift.value(ids, operator), table: lift.constant(table, operator) };
  if (attributes.text('append_op') !== 'binary_add' || !added) return { kind: 'embeddings', gathered: [gathered] };
  const earlier = lift.view(added, operator);
  if (earlier.kind === 'positions') return { kind: 'embeddings', gathered: [gathered], position: earlier.table };
  if (earlier.kind !== 'embeddings')
    throw new EngineError('E_UNSUPPORTED', 'ir', `operator "${operator.name}" (Gather) adds "${added}", which is ${earlier.kind}`, {
      where: operator.name,
    });
  return { ...earlier, gathered: [...earlier.gathered, gathered] };
}

function liftLayerNorm(lift: Lift, operator: IrOperator, attributes: OriginalAttributes): View {
  const [x, scale, bias] = operator.inputs as [string, string, string];
  const inputs = [lift.value(x, operator), lift.constant(scale, operator), lift.constant(bias, operator)];
  return {
    kind: 'tokens',
    name: lift.add(operator, 'LayerNorm', inputs, { epsilon: attributes.number('epsilon', 1e-5) }),
  };
}

function liftQuantize(lift: Lift, operator: IrOperator, attributes: OriginalAttributes): View {
  const x = lift.value(operator.inputs[0]!, operator);
  const dtype = outputDtype(attributes);
  if (dtype === 'f32') return { kind: 'tokens', name: x };
  if (operator.outputs.length > 1) return { kind: 'tokens', name: x, dynamic: dynamicForm(attributes) };
  const inputs = [x, lift.constant(operator.inputs[1]!, operator), lift.constant(operator.inputs[2]!, operator)];
  return { kind: 'tokens', name: lift.add(operator, 'Quantize', inputs, { dtype }, dtype) };
}

function liftInnerProduct(lift: Lift, operator: IrOperator, attributes: OriginalAttributes): View {
  const parts = readLinearInputs(lift, operator, attributes);
  if (parts.weightScale) return liftDynamicProduct(lift, operator, attributes, parts, parts.weightScale);
  const append = attributes.text('append_op') ?? '';
  const activation = ACTIVATIONS[append] ?? 'none';
  const dtype = parts.ranges ? outputDtype(attributes) : 'f32';
  const bias = parts.bias && parts.ranges ? unfoldBias(lift.graph, parts.bias, parts.weight, parts.transposed, parts.ranges) : parts.bias;
  const slots = [parts.x, parts.weight, bias ?? '', parts.post ?? ''];
  if (parts.ranges) slots.push(...parts.ranges, '', '', ...(dtype === 'f32' ? ['', ''] : (parts.outRange ?? ['', ''])));
  while (slots[slots.length - 1] === '') slots.pop();
  const source = lift.view(parts.xTensor, operator);
  const name = lift.add(operator, 'InnerProduct', slots, { transposed: parts.transposed, activation, output_dtype: dtype }, dtype);
  const heads = headsOf(attributes.integers('reshape'));
  return source.kind === 'plain' ? { kind: 'plain', name } : { kind: 'tokens', name, ...(heads ? { heads } : {}) };
}

function liftMask(lift: Lift, operator: IrOperator, attributes: OriginalAttributes): View {
  const mask = lift.value(operator.inputs[0]!, operator);
  return {
    kind: 'mask',
    mask: lift.add(operator, 'PaddingMask', [mask], { value: attributes.number('padding_value', PADDING_VALUE) }),
  };
}

function liftStridedSlice(lift: Lift, operator: IrOperator, attributes: OriginalAttributes): View {
  const x = lift.value(operator.inputs[0]!, operator);
  const [begin, end, strides] = ['begin', 'end', 'strides'].map((name) => attributes.integers(name) ?? []) as [
    number[],
    number[],
    number[],
  ];
  for (const mask of ['ellipsis_mask', 'new_axis_mask', 'shrink_axis_mask']) {
    if (attributes.number(mask, 0) !== 0)
      throw new EngineError('E_UNSUPPORTED', 'ir', `operator "${operator.name}" (StridedSlice): ${mask} is not supported`, {
        where: operator.name,
      });
  }
  const [beginMask, endMask] = [attributes.number('begin_mask', 0), attributes.number('end_mask', 0)];
  const constant = (hint: string, values: number[]): string => lift.graph.addConstant(`${operator.name}/${hint}`, s64(values));
  const starts = begin.map((start, axis) => (beginMask & (1 << axis) ? 0 : start));
  const ends = end.map((stop, axis) => (endMask & (1 << axis) ? 2 ** 31 - 1 : stop));
  const inputs = [
    x,
    constant('starts', starts),
    constant('ends', ends),
    constant(
      'axes',
      begin.map((_, axis) => axis),
    ),
    constant('steps', strides),
  ];
  return { kind: 'plain', name: lift.add(operator, 'Slice', inputs, {}) };
}

const LIFTERS: Readonly<Record<string, Lifter>> = {
  Reshape: liftReshape,
  Gather: liftGather,
  LayerNorm: liftLayerNorm,
  Quantize: liftQuantize,
  InnerProduct: liftInnerProduct,
  Matmul: liftMatmul,
  Softmax: liftSoftmax,
  MultiHeadAttention: liftMultiHeadAttention,
  PaddingSequence: liftMask,
  SequenceLength: liftMask,
  Reorder: (lift, operator) => lift.view(operator.inputs[0]!, operator),
  StridedSlice: liftStridedSlice,
};

export type { Lift };
