import { type Dims, type DType, EngineError, isFloat, sameDims, type Tensor } from '@neural-engine/core';
import { type AttributeValue, type Node, schemaOf } from '@neural-engine/ir';
import type { GenericAttribute } from '@neural-engine/kernels';
import type { ConcreteValue } from '../../plan/concrete';
import type { GenericLowering, GenericStep } from './types';
import { contiguous, isWhole, product, type View } from './views';

type Operand = ConcreteValue | undefined;

/** Collects the steps of one node and the memory between them. */
export class GenericBuilder {
  private readonly steps: GenericStep[] = [];
  private readonly temporaries: ConcreteValue[] = [];
  private readonly taken: ReadonlySet<string>;
  private aliasOf: string | undefined;

  constructor(
    readonly node: Node,
    private readonly inputs: readonly Operand[],
    private readonly outputs: readonly Operand[],
  ) {
    this.taken = new Set([...node.inputs, ...node.outputs]);
  }

  get inputCount(): number {
    return this.inputs.length;
  }

  get outputCount(): number {
    return this.outputs.length;
  }

  /** A required input. */
  x(index: number): ConcreteValue {
    return this.inputs[index] ?? this.fail('E_MODEL', `input ${index} is missing`);
  }

  optional(index: number): Operand {
    return this.inputs[index];
  }

  /** An output; undefined where the node does not name it. */
  maybeY(index: number): Operand {
    return this.outputs[index];
  }

  /** The first output, which every operator has. */
  get y(): ConcreteValue {
    return this.outputs[0] ?? this.fail('E_MODEL', 'output 0 is missing');
  }

  /** An output, or memory in its place where the node does not name it. */
  yOr(index: number, dtype: DType, dims: Dims): ConcreteValue {
    return this.outputs[index] ?? this.temporary(dtype, dims);
  }

  /** An attribute or its default. */
  attribute(name: string): AttributeValue | undefined {
    return this.node.attributes[name] ?? schemaOf(this.node.op)?.attributes[name]?.default;
  }

  number(name: string): number {
    return this.attribute(name) as number;
  }

  text(name: string): string {
    return this.attribute(name) as string;
  }

  /** The `axis` attribute as an index from 0. */
  axis(rank: number, name = 'axis'): number {
    const axis = this.number(name);
    return axis < 0 ? axis + rank : axis;
  }

  /**
   * The elements of a small integer input, which are needed while planning.
   * @throws {EngineError} E_UNSUPPORTED they are computed by the model.
   */
  integers(index: number): readonly number[] {
    const { constant } = this.x(index);
    if (!constant) return this.fail('E_UNSUPPORTED', `the elements of input ${index} must be known before the run`);
    // What lies beyond the safe integers only means "to the end".
    const clamp = (value: number): number => Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value));
    return Array.from(constant.data as ArrayLike<number | bigint>, (element) => clamp(Number(element)));
  }

  /** Memory for an intermediate result. */
  temporary(dtype: DType, dims: Dims): ConcreteValue {
    return this.add({ name: this.freeName(), dtype, dims: [...dims] });
  }

  /** A small constant of the plan. */
  constant(data: Tensor): ConcreteValue {
    return this.add({ name: this.freeName(), dtype: data.dtype, dims: data.dims, constant: data });
  }

  /** One native step; attributes that are not finite are spelt as text, since JSON has no number for them. */
  step(kind: string, x: readonly Operand[], y: readonly ConcreteValue[], attrs: Record<string, GenericAttribute> = {}): void {
    if (y.every(({ dims }) => dims.includes(0))) return;
    const safe = Object.entries(attrs).map(([name, value]) => [
      name,
      typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
    ]);
    this.steps.push({ kind, x: x.map((operand) => operand?.name), y: y.map(({ name }) => name), attrs: Object.fromEntries(safe) });
  }

  /** `y` = the elements of `x` that the view names. */
  copy(x: ConcreteValue, view: View, y: ConcreteValue): void {
    this.step('strided', [x], [y], { dims: [...view.dims], strides: [...view.strides], offset: view.offset });
  }

  /** The result is a view of `x`: nothing to do when that is an input with all its elements in order. */
  view(x: ConcreteValue, view: View = contiguous(x.dims)): void {
    if (this.outputs.length === 1 && this.inputs.includes(x) && isWhole(view, product(x.dims))) this.aliasOf = x.name;
    else this.copy(x, view, this.y);
  }

  /** The same elements under other dims. */
  reshape(x: ConcreteValue, dims: Dims): ConcreteValue {
    if (sameDims(x.dims, dims)) return x;
    const y = this.temporary(x.dtype, dims);
    this.copy(x, contiguous(x.dims), y);
    return y;
  }

  /** The elements as another dtype; `x` itself when it has that dtype. */
  cast(x: ConcreteValue, dtype: DType): ConcreteValue {
    if (x.dtype === dtype) return x;
    const y = this.temporary(dtype, x.dims);
    this.step('cast', [x], [y]);
    return y;
  }

  /** Lets `compute` write `dtype` and converts the result to the dtype of `y`. */
  castInto(y: ConcreteValue, dtype: DType, compute: (y: ConcreteValue) => void): void {
    if (y.dtype === dtype) {
      compute(y);
      return;
    }
    const wide = this.temporary(dtype, y.dims);
    compute(wide);
    this.step('cast', [wide], [y]);
  }

  /** f(a, b), broadcast. */
  binary(name: string, a: ConcreteValue, b: ConcreteValue, y: ConcreteValue): void {
    this.step('binary', [a, b], [y], { function: name });
  }

  unary(name: string, x: ConcreteValue, y: ConcreteValue, attrs: Record<string, GenericAttribute> = {}): void {
    this.step('unary', [x], [y], { function: name, ...attrs });
  }

  fail(code: 'E_UNSUPPORTED' | 'E_MODEL' | 'E_SHAPE', message: string): never {
    throw new EngineError(code, 'plan', `node "${this.node.name}" (${this.node.op}): ${message}`, { where: this.node.name });
  }

  finish(): GenericLowering {
    if (this.aliasOf !== undefined) return { alias: this.aliasOf };
    return this.temporaries.length > 0 ? { steps: this.steps, temporaries: this.temporaries } : { steps: this.steps };
  }

  private add(value: ConcreteValue): ConcreteValue {
    this.temporaries.push(value);
    return value;
  }

  private freeName(): string {
    let name = `${this.node.name}#${this.temporaries.length}`;
    while (this.taken.has(name)) name += '#';
    return name;
  }
}

/** The float type in which mixed or narrow operands are computed without loss. */
export const wideFloat = (...values: readonly (ConcreteValue | undefined)[]): DType =>
  values.some((value) => value && (value.dtype === 'f64' || !isFloat(value.dtype))) ? 'f64' : 'f32';
