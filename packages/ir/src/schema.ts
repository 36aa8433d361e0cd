import type { DType, Shape, Tensor } from '@neural-engine/core';
import type { Attributes, AttributeValue } from './graph';

/** What is known of an input while shapes are inferred. */
export interface KnownValue {
  readonly dtype: DType;
  readonly shape: Shape | undefined;
  /** The elements, when they are known (constants, and shape arithmetic over concrete dims). */
  readonly constant?: Tensor;
  /** For small integer vectors whose elements may be symbols: what `Shape` of `[batch, 128]` yields. */
  readonly elements?: Shape;
}

export interface InferContext {
  readonly node: string;
  readonly attributes: Attributes;
  /** `undefined` for an absent optional input. */
  readonly inputs: readonly (KnownValue | undefined)[];
  readonly outputCount: number;
  /** Rejects the node with E_SHAPE or E_MODEL; the message is prefixed with node and operator. */
  fail(code: 'E_SHAPE' | 'E_MODEL' | 'E_UNSUPPORTED' | 'E_LIMIT', message: string): never;
}

export interface Slot {
  readonly name: string;
  readonly optional?: boolean;
  /** The last slot may repeat. */
  readonly variadic?: boolean;
}

export interface AttributeSpec {
  readonly type: 'int' | 'float' | 'string' | 'bool' | 'ints' | 'floats' | 'strings' | 'tensor';
  readonly default?: AttributeValue;
  readonly required?: boolean;
}

/** Everything the engine knows about one operator: one file per family in `schemas/`. */
export interface OpSchema {
  readonly op: string;
  /** One sentence for the table of supported operators. */
  readonly summary: string;
  /** `onnx`: opset-22 semantics of that name; `engine`: our own, described in the schema's docstring. */
  readonly kind: 'onnx' | 'engine';
  readonly inputs: readonly Slot[];
  readonly outputs: readonly Slot[];
  readonly attributes: Readonly<Record<string, AttributeSpec>>;
  /** The first two inputs may be exchanged. */
  readonly commutative?: boolean;
  /** dtype and shape (symbols allowed, undefined where unknown) of each output. */
  infer(context: InferContext): KnownValue[];
  /**
   * Exact value on constant inputs, used for folding and for shape arithmetic while planning; absent where the operator is never needed there.
   * Must not allocate before the output size is checked.
   */
  evaluate?(inputs: readonly (Tensor | undefined)[], attributes: Attributes, outputs: readonly { dtype: DType; dims: readonly number[] }[]): Tensor[];
}
