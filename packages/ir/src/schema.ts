import type { Dim, DType, Shape, Tensor } from '@neural-engine/core';
import type { Attributes, AttributeValue } from './graph';

/** What is known of an input while shapes are inferred. */
export interface KnownValue {
  readonly dtype: DType;
  readonly shape: Shape | undefined;
  /** The elements, when they are known (constants, and shape arithmetic over concrete dims). */
  readonly constant?: Tensor;
  /** For small integer scalars and vectors whose elements may be symbols: what `Shape` of `[batch, 128]` yields. */
  readonly elements?: Shape;
}

/** The codes with which a schema may reject a node. */
export type SchemaErrorCode = 'E_SHAPE' | 'E_MODEL' | 'E_UNSUPPORTED' | 'E_LIMIT' | 'E_QUANT';

export interface InferContext {
  readonly node: string;
  /** With the schema's defaults filled in. */
  readonly attributes: Attributes;
  /** `undefined` for an absent optional input. */
  readonly inputs: readonly (KnownValue | undefined)[];
  readonly outputCount: number;
  /** Rejects the node; the message is prefixed with node and operator. */
  fail(code: SchemaErrorCode, message: string): never;
}

export interface Slot {
  readonly name: string;
  readonly optional?: boolean;
  /** The last slot may repeat. */
  readonly variadic?: boolean;
  /** The dtypes it takes; any when absent. */
  readonly dtypes?: readonly DType[];
  /** Slots of one node with the same type variable have the same dtype. */
  readonly typeVariable?: string;
}

export interface AttributeSpec {
  readonly type: 'int' | 'float' | 'string' | 'bool' | 'ints' | 'floats' | 'strings' | 'tensor';
  readonly default?: AttributeValue;
  readonly required?: boolean;
  /** The only values it may have. */
  readonly oneOf?: readonly AttributeValue[];
}

/** dtype and dims of an output, settled before it is computed. */
export interface OutputSpec {
  readonly dtype: DType;
  readonly dims: readonly number[];
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
  /** Positions of the inputs whose elements, not only their shapes, decide the output shapes or the plan (such as an axis). */
  readonly valueInputs?: readonly number[];
  /** Multiply-accumulates of one call, where they dominate its cost; shapes may hold symbols. */
  macs?(attributes: Attributes, inputs: readonly (Shape | undefined)[], outputs: readonly (Shape | undefined)[]): Dim;
  /** dtype and shape (symbols allowed, undefined where unknown) of each output. */
  infer(context: InferContext): KnownValue[];
  /**
   * Exact value on constant inputs, used for folding, for shape arithmetic while planning and as the reference in tests; absent where
   * the operator is never needed there. `attributes` have the defaults filled in; the sizes of `outputs` are checked before the call.
   */
  evaluate?(inputs: readonly (Tensor | undefined)[], attributes: Attributes, outputs: readonly OutputSpec[]): Tensor[];
}
