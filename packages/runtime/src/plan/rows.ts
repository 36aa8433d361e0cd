import { bytesOf, EngineError, elementCount, type Tensor } from '@neural-engine/core';
import type { ComputeDType } from '@neural-engine/kernels';
import type { GenericLowering } from '../lower/generic/types';
import type { Prepared, PreparedNode } from '../prepare/prepared';
import type { ConcreteValue } from './concrete';
import type { Storage, StoragePlan } from './storage';

/** dtype of a value that is computed with. */
export function computeDType(value: ConcreteValue): ComputeDType {
  if (value.dtype === 'string')
    throw new EngineError('E_UNSUPPORTED', 'plan', `value "${value.name}" holds strings`, { where: value.name });
  return value.dtype;
}

/**
 * Row-major buffers by value name.
 *
 * Values that alias each other (reshapes) share one storage; a group that holds a graph output lives in that output's memory.
 */
export class RowBuffers {
  readonly constants: string[] = [];
  private readonly buffers = new Map<string, number>();
  private readonly groups = new Map<string, Storage>();
  private readonly aliasOf = new Map<string, string>();
  private readonly outputOf = new Map<string, number>();

  constructor(
    private readonly prepared: Prepared,
    private readonly values: ReadonlyMap<string, ConcreteValue>,
    private readonly storage: StoragePlan,
    private readonly outputs: readonly string[],
    generic: ReadonlyMap<PreparedNode, GenericLowering>,
  ) {
    for (const [node, lowering] of generic) if ('alias' in lowering) for (const name of node.writes) this.aliasOf.set(name, lowering.alias);
    outputs.forEach((name, i) => {
      const root = this.root(name);
      if (!this.isGiven(root) && !this.outputOf.has(root)) this.outputOf.set(root, i);
    });
  }

  /** Outputs that are inputs, constants, or a second name of another output: they need a copy of their own. */
  copies(): { from: string; output: number }[] {
    return this.outputs
      .map((name, output) => ({ from: name, output }))
      .filter(({ from, output }) => this.outputOf.get(this.root(from)) !== output);
  }

  of(name: string): number {
    const found = this.buffers.get(name);
    if (found !== undefined) return found;
    const value = this.values.get(name);
    if (!value) throw new EngineError('E_INTERNAL', 'plan', `nothing is known of value "${name}"`, { where: name });
    const buffer = this.storage.buffer(this.groupOf(this.root(name)), computeDType(value), { rows: [...value.dims] });
    this.buffers.set(name, buffer);
    return buffer;
  }

  /** Memory between the steps of one lowered node. */
  temporary(dtype: ComputeDType, dims: readonly number[]): number {
    return this.storage.buffer(this.storage.rows(dtype, elementCount(dims)), dtype, { rows: [...dims] });
  }

  /** A constant that lowering made. */
  constant(value: Tensor): number {
    this.constants.push(Buffer.from(bytesOf(value.data)).toString('hex'));
    const dtype = value.dtype as ComputeDType;
    return this.storage.buffer(this.storage.fixed({ constant: this.constants.length - 1 }), dtype, { rows: [...value.dims] });
  }

  output(index: number): number {
    const value = this.values.get(this.outputs[index]!)!;
    return this.storage.buffer(this.storage.fixed({ output: index }), computeDType(value), { rows: [...value.dims] });
  }

  private root(name: string): string {
    let at = name;
    for (let next = this.aliasOf.get(at); next !== undefined && !this.isGiven(at); next = this.aliasOf.get(at)) at = next;
    return at;
  }

  private isGiven(name: string): boolean {
    return this.prepared.graph.inputs.includes(name) || this.prepared.tensors.has(name) || this.values.get(name)?.constant !== undefined;
  }

  private groupOf(root: string): Storage {
    const found = this.groups.get(root);
    if (found) return found;
    const made = this.make(root);
    this.groups.set(root, made);
    return made;
  }

  private make(root: string): Storage {
    const input = this.prepared.graph.inputs.indexOf(root);
    if (input >= 0) return this.storage.fixed({ input });
    const tensor = this.prepared.tensors.get(root);
    if (tensor !== undefined) return this.storage.fixed({ weight: tensor });
    const value = this.values.get(root)!;
    if (value.constant) {
      this.constants.push(Buffer.from(bytesOf(value.constant.data)).toString('hex'));
      return this.storage.fixed({ constant: this.constants.length - 1 });
    }
    const output = this.outputOf.get(root);
    if (output !== undefined) return this.storage.fixed({ output });
    return this.storage.rows(computeDType(value), elementCount(value.dims));
  }
}
