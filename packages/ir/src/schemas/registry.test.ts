import { DTYPES, type DType, EngineError, isFloat, type Shape, type Tensor } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { tensorOf } from '../__fixtures__/sketch';
import type { AttributeValue, Node } from '../graph';
import { evaluateNode, inferNode } from '../infer-node';
import type { KnownValue, OpSchema, Slot } from '../schema';
import { allSchemas, schemaOf } from './index';

describe('the registry', () => {
  it('finds each operator by its name, and none twice', () => {
    for (const schema of allSchemas()) expect(schemaOf(schema.op)).toBe(schema);
    expect(schemaOf('toString')).toBeUndefined();
  });

  it.each(allSchemas().map((schema) => [schema.op, schema] as const))('%s is well formed', (_, schema) => {
    expect(schema.summary).toMatch(/^\S.*\.$/s);
    for (const slots of [schema.inputs, schema.outputs]) {
      expect(slots.length).toBeGreaterThan(0);
      expect(slots.slice(0, -1).some((slot) => slot.variadic)).toBe(false);
      const firstOptional = slots.findIndex((slot) => slot.optional);
      // A required slot after an optional one would make the optional one's absence ambiguous in the table of operators.
      if (firstOptional >= 0) expect(slots.slice(firstOptional).every((slot) => slot.optional)).toBe(true);
    }
    for (const [name, spec] of Object.entries(schema.attributes)) {
      expect(spec.required && spec.default !== undefined, name).toBeFalsy();
      if (spec.oneOf && spec.default !== undefined) expect(spec.oneOf, name).toContain(spec.default);
    }
    for (const index of schema.valueInputs ?? []) expect(index).toBeLessThan(schema.inputs.length);
  });
});

/** A small generator whose seed can be printed. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const DIMS = [0, 1, 1, 2, 2, 3, 3, 4, 'n', 'm', null] as const;

/** Operands and attributes that may or may not make sense together; tame ones are constants of one size, so that more of them do. */
class Nonsense {
  private readonly variables = new Map<string, DType>();
  private readonly size: number;
  constructor(
    private readonly below: (below: number) => number,
    private readonly tame: boolean,
  ) {
    this.size = 1 + below(2);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  node(schema: OpSchema): { node: Node; operands: Map<string, KnownValue> } {
    const operands = new Map<string, KnownValue>();
    const count = schema.inputs.at(-1)!.variadic ? 1 + this.below(3) : schema.inputs.length;
    const rank = this.below(5);
    const inputs = Array.from({ length: count }, (_, i) => {
      const slot = schema.inputs[Math.min(i, schema.inputs.length - 1)]!;
      if (slot.optional && this.below(this.tame ? 4 : 2) !== 1) return '';
      operands.set(`x${i}`, this.operand(slot, rank));
      return `x${i}`;
    });
    const attributes: Record<string, AttributeValue> = {};
    for (const [name, spec] of Object.entries(schema.attributes)) {
      if (spec.required || this.below(3) === 0) attributes[name] = this.attribute(name, spec, rank);
    }
    const outputs = Array.from(
      { length: schema.outputs[0]!.variadic ? 1 + this.below(3) : 1 + this.below(schema.outputs.length) },
      (_, i) => `y${i}`,
    );
    return { node: { name: 'nonsense', op: schema.op, inputs, outputs, attributes }, operands };
  }

  private operand(slot: Slot, rank: number): KnownValue {
    const dtype = this.dtype(slot);
    const length = this.tame ? this.pick([rank, 1]) : this.below(4) === 0 ? this.below(5) : rank;
    const shape = Array.from({ length }, () => (this.tame ? this.size : this.pick(DIMS)));
    if (this.tame && dtype !== 'string') return { dtype, shape, constant: this.constant(dtype, shape as number[]) };
    if (this.below(8) === 0) return { dtype, shape: undefined };
    if (dtype === 'string' || this.below(3) === 0) return { dtype, shape };
    const dims = this.below(3) === 0 ? [this.below(5)] : shape.map((dim) => (typeof dim === 'number' ? dim : 2));
    return { dtype, shape: dims, constant: this.constant(dtype, dims) };
  }

  private dtype(slot: Slot): DType {
    const bound = slot.typeVariable ? this.variables.get(slot.typeVariable) : undefined;
    const dtype = bound ?? this.pick(slot.dtypes ?? DTYPES);
    if (slot.typeVariable) this.variables.set(slot.typeVariable, dtype);
    return dtype;
  }

  private constant(dtype: DType, dims: readonly number[]): Tensor {
    const count = dims.reduce((product, dim) => product * dim, 1);
    if (this.tame)
      return tensorOf(
        dtype,
        dims,
        Array.from({ length: count }, () => (isFloat(dtype) ? 1 : 0) + this.below(2)),
      );
    const wild = this.below(10) === 0;
    return tensorOf(
      dtype,
      dims,
      Array.from({ length: count }, () => (wild ? this.pick([0, -1, 2 ** 31, -(2 ** 40), 1e15]) : this.below(6) - 2)),
    );
  }

  private attribute(name: string, spec: OpSchema['attributes'][string], rank: number): AttributeValue {
    if (spec.oneOf) return this.pick(spec.oneOf);
    if (name === 'perm') return Array.from({ length: rank }, (_, i) => rank - 1 - i);
    switch (spec.type) {
      case 'int':
        return this.below(7) - 2;
      case 'float':
        return this.below(5) - 1;
      case 'ints':
        return Array.from({ length: this.below(3) }, () => this.below(6) - 2);
      case 'tensor':
        return this.constant('s64', [1]);
      case 'string':
        return this.pick(['ij,jk->ik', 'ij->ji', '...i,...i', 'ii->i', 'i,j,k', 'a->b', '->', '...']);
      default:
        return false;
    }
  }
}

/** Runs `work`; an EngineError is a fine answer, anything else that is thrown is not. */
function answered<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (EngineError.isInstance(error) && error.code !== 'E_INTERNAL') return undefined;
    throw error;
  }
}

/** The inferred shape allows the computed dims: the same rank, and the same numbers where there are numbers. */
const allows = (shape: Shape | undefined, dims: readonly number[]): boolean =>
  !shape || (shape.length === dims.length && shape.every((dim, i) => typeof dim !== 'number' || dim === dims[i]));

describe('on operands that may not make sense', () => {
  const evaluated = new Set<string>();
  it.each(allSchemas().map((schema) => [schema.op, schema] as const))(
    '%s gives a typed error, or results of the inferred dtype and shape',
    (op, schema) => {
      for (let seed = 1; seed <= 150; seed++) {
        const { node, operands } = new Nonsense(random(seed * 7919 + op.length), seed % 2 === 0).node(schema);
        const lookup = (name: string): KnownValue => operands.get(name)!;
        const context = (): string =>
          `seed ${seed}: ${JSON.stringify({ node, operands: [...operands] }, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))}`;
        const inferred = answered(() => inferNode(node, lookup));
        const tensors = node.inputs.map((name) => (name ? lookup(name).constant : undefined));
        if (!inferred || node.inputs.some((name, i) => name && !tensors[i])) continue;
        const results = answered(() => evaluateNode(node, tensors));
        if (!results) continue;
        evaluated.add(op);
        for (const [i, result] of results.entries()) {
          const { dtype, shape }: KnownValue = inferred[i]!;
          const count = result.dims.reduce((product, dim) => product * dim, 1);
          if (result.dtype === dtype && allows(shape, result.dims) && result.data.length === count) continue;
          expect.fail(
            `${context()}: inferred ${dtype} [${shape}], computed ${result.dtype} [${result.dims}] of ${result.data.length} elements`,
          );
        }
      }
    },
  );

  it('nearly every operator is evaluated on the way', () => {
    const never = allSchemas().flatMap(({ op, evaluate }) => (evaluate && !evaluated.has(op) ? [op] : []));
    expect(never.length, never.join(', ')).toBeLessThan(allSchemas().length / 10);
  });
});
