import type { AttributeValue } from '@neural-engine/ir';

/**
 * A shape of computation to look for, read from its result backwards: `op('Mul', value('x'), scalar(0.5))`.
 *
 * The type parameters carry the names it captures: always (`N`) or only by some of its alternatives (`M`).
 */
export abstract class Pattern<N extends string = never, M extends string = never> {
  abstract readonly kind: 'value' | 'constant' | 'scalar' | 'op' | 'oneOf' | 'as';
  /** Only for the type checker. */
  declare readonly names: readonly [N, M];

  /** Captures the value that the pattern matched under `name`. */
  as<K extends string>(name: K): Pattern<N | K, M> {
    return new AsPattern(this, name) as unknown as Pattern<N | K, M>;
  }
}

/** Any pattern, whatever it captures. */
export type AnyPattern = Pattern<string, string>;

export type Always<P> = P extends Pattern<infer N, string> ? N : never;
export type Sometimes<P> = P extends Pattern<string, infer M> ? M : never;
type Common<P> = P extends readonly [infer Head, ...infer Tail]
  ? Tail extends readonly []
    ? Always<Head>
    : Always<Head> & Common<Tail>
  : never;

export class AsPattern extends Pattern<string> {
  readonly kind = 'as';
  constructor(
    readonly inner: AnyPattern,
    readonly name: string,
  ) {
    super();
  }
}

export class ValuePattern<N extends string> extends Pattern<N> {
  readonly kind = 'value';
  constructor(readonly name: N) {
    super();
  }
}

export class ConstantPattern<N extends string> extends Pattern<N> {
  readonly kind = 'constant';
  constructor(readonly name: N) {
    super();
  }
}

export class ScalarPattern<N extends string> extends Pattern<N> {
  readonly kind = 'scalar';
  constructor(readonly want: number | N) {
    super();
  }
}

export class OneOfPattern<N extends string, M extends string> extends Pattern<N, M> {
  readonly kind = 'oneOf';
  constructor(readonly alternatives: readonly AnyPattern[]) {
    super();
  }
}

export class OpPattern<N extends string = never, M extends string = never> extends Pattern<N, M> {
  readonly kind = 'op';
  constructor(
    readonly types: readonly string[],
    /** Undefined: the operands are not looked at. */
    readonly inputs: readonly AnyPattern[] | undefined,
    readonly attributes: Readonly<Record<string, AttributeValue>> = {},
    readonly isShared = false,
  ) {
    super();
  }

  /** Demands these attribute values; an attribute that the node leaves out has its default. */
  with(attributes: Readonly<Record<string, AttributeValue>>): OpPattern<N, M> {
    return new OpPattern(this.types, this.inputs, { ...this.attributes, ...attributes }, this.isShared);
  }

  /**
   * Lets the result have readers outside the match, for which the node then stays. For operators that cost nothing to keep
   * (shape arithmetic, views); elsewhere the driver refuses such a match.
   */
  shared(): OpPattern<N, M> {
    return new OpPattern(this.types, this.inputs, this.attributes, true);
  }
}

/** Anything; captured as `name`. The same name twice means the same value, or equal constants. */
export const value = <N extends string>(name: N): Pattern<N> => new ValuePattern(name);

/** Any constant tensor, captured as `name`. */
export const constant = <N extends string>(name: N): Pattern<N> => new ConstantPattern(name);

/**
 * A constant of one element: equal to `want` within five digits, or captured under that name.
 *
 * The tolerance covers constants that an exporter rounded to f32, as √2 = 1.4142135381698608.
 */
export function scalar(want: number): Pattern;
export function scalar<N extends string>(name: N): Pattern<N>;
export function scalar(want: number | string): AnyPattern {
  return new ScalarPattern(want);
}

/** A node of one of the types, with these operands; without patterns for them, any operands. Commutative operators match in both orders. */
export function op<const P extends readonly AnyPattern[]>(
  type: string | readonly string[],
  ...inputs: P
): OpPattern<Always<P[number]>, Sometimes<P[number]>> {
  return new OpPattern(typeof type === 'string' ? [type] : type, inputs.length > 0 ? inputs : undefined);
}

/** The first of the alternatives that leads to a match of the whole. */
export function oneOf<const P extends readonly AnyPattern[]>(
  ...alternatives: P
): Pattern<Common<P>, Exclude<Always<P[number]> | Sometimes<P[number]>, Common<P>>> {
  return new OneOfPattern(alternatives);
}

/** `wrap(inner)`, or `inner` alone: `optional(x, (x) => op('Mul', x, scalar('scale')))`. */
export function optional<P extends AnyPattern, W extends AnyPattern>(
  inner: P,
  wrap: (inner: P) => W,
): Pattern<Always<P>, Exclude<Always<W>, Always<P>> | Sometimes<W> | Sometimes<P>> {
  return new OneOfPattern([wrap(inner), inner]);
}

/** The operator types that a pattern's root can have; undefined where it can be any. */
export function rootTypes(pattern: AnyPattern): ReadonlySet<string> | undefined {
  if (pattern instanceof OpPattern) return new Set(pattern.types);
  if (pattern instanceof AsPattern) return rootTypes(pattern.inner);
  if (pattern instanceof OneOfPattern) {
    const all = new Set<string>();
    for (const alternative of pattern.alternatives) {
      const types = rootTypes(alternative);
      if (!types) return undefined;
      for (const type of types) all.add(type);
    }
    return all;
  }
  return undefined;
}
