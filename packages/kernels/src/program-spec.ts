import type { DType } from '@neural-engine/core';

/**
 * The program: what a planner hands to the native executor, as JSON. The fields are spelt as the executor reads them.
 *
 * A program is a list of *regions*, each a chain of *steps* that are independent per *unit*; there is one barrier between regions and
 * none inside. Offsets are in bytes and multiples of 64. Everything is checked once, when a {@link Program} is made.
 */
export interface ProgramSpec {
  /** Must equal `ABI`. */
  readonly abi: number;
  /** What the caller feeds, in order. */
  readonly inputs: readonly Port[];
  /** What the caller gets, in order. */
  readonly outputs: readonly Port[];
  /** Sets of rows that panels are cut from. */
  readonly spaces: readonly Space[];
  /** Every tensor of the program. */
  readonly buffers: readonly BufferSpec[];
  /** Small constants that planning made: little-endian bytes in lower-case hexadecimal. */
  readonly constants?: readonly string[];
  /** Memory that all threads of a run share. */
  readonly arena_bytes: number;
  /** Memory that each thread has for itself. */
  readonly scratch_bytes: number;
  /** What is done, in order. */
  readonly regions: readonly Region[];
}

/** Dtypes that a program computes with. */
export type ComputeDType = Exclude<DType, 'string'>;

/** An input or output of the model, row-major. */
export interface Port {
  readonly name: string;
  readonly dtype: ComputeDType;
  readonly dims: readonly number[];
}

/** Rows `0..count` of a matrix, or the tokens of `batch` sequences of at most `seq`; with `pack` masked tokens are left out. */
export type Space =
  | { readonly kind: 'rows'; readonly count: number }
  | { readonly kind: 'tokens'; readonly batch: number; readonly seq: number; readonly pack: boolean };

/** One tensor and where it lives. */
export interface BufferSpec {
  readonly place: Place;
  readonly dtype: ComputeDType;
  readonly layout: Layout;
}

/** Where a buffer's bytes are: an index for input, output, weight and constant, an offset for arena and scratch. */
export type Place =
  | { readonly input: number }
  | { readonly output: number }
  | { readonly arena: number }
  | { readonly scratch: number }
  | { readonly weight: number }
  | { readonly constant: number };

/** Row-major dimensions, or panels `[ceil(rows / 64)][features][64]` of a space. In scratch, panels are those of one unit. */
export type Layout = { readonly rows: readonly number[] } | { readonly panels: { readonly space: number; readonly features: number } };

/** A chain of steps between two barriers. */
export interface Region {
  readonly units: Units;
  readonly steps: readonly Step[];
}

/**
 * How a region's work is divided: `panels` gives each unit `group` (1 to 4) consecutive panels, `split` divides a single linear or
 * attention step by output rows or heads, `whole` runs a single generic step (which divides itself) or `token_map`.
 */
export type Units =
  | { readonly panels: { readonly space: number; readonly group: number } }
  | { readonly split: { readonly space: number } }
  | 'whole';

/** Affine 8-bit code: `q = saturate(round_ties_even(x · scale) + zero)`. */
export interface Code {
  readonly scale: number;
  readonly zero: number;
}

/** How the range of a token becomes its code: zero inside, or ± the greatest magnitude with zero at 128. */
export type TokenForm = 'asymmetric' | 'symmetric';

/** Added to a product before the activation: the destination's old content, or another panel buffer: f32, or bf16 where y is bf16. */
export type ResidualRef = 'in_place' | { readonly buffer: number };

export type Activation = 'none' | 'gelu_erf' | 'gelu_tanh' | 'relu' | 'tanh' | 'sigmoid';

/** Index into {@link ProgramSpec.buffers}. */
export type BufferIndex = number;
/** Index into the weight set. */
export type WeightIndex = number;

/** What a generic step's attributes may hold. */
export type GenericAttribute = number | string | boolean | readonly number[] | readonly string[];

/** One kernel call per unit. The formulas are those of the executor's own documentation. */
export type Step =
  | { readonly op: 'token_map'; readonly space: number; readonly mask?: BufferIndex | null; readonly masked_bias: number }
  /** Tables are f32 [rows, features], or u8 [rows, features + 4]: s8 codes, then the f32 value of one code step of the row. */
  | {
      readonly op: 'embed';
      readonly y: BufferIndex;
      readonly ids: BufferIndex;
      readonly word: BufferIndex;
      readonly position?: BufferIndex | null;
      readonly types?: BufferIndex | null;
      readonly type_table?: BufferIndex | null;
    }
  | { readonly op: 'from_rows'; readonly x: BufferIndex; readonly y: BufferIndex }
  | { readonly op: 'to_rows'; readonly x: BufferIndex; readonly y: BufferIndex }
  | {
      readonly op: 'linear';
      readonly weight: WeightIndex;
      readonly x: BufferIndex;
      readonly y: BufferIndex;
      readonly bias?: WeightIndex | null;
      readonly residual?: ResidualRef | null;
      readonly act?: Activation;
    }
  | {
      readonly op: 'linear_i8';
      readonly weight: WeightIndex;
      readonly x: BufferIndex;
      readonly y: BufferIndex;
      readonly init: WeightIndex;
      readonly mul: WeightIndex;
      readonly add: WeightIndex;
      readonly residual?: ResidualRef | null;
      readonly act?: Activation;
      readonly code?: Code | null;
      readonly table?: WeightIndex | null;
      /** Steps and zero points of x's tokens, f32 panels of one feature, and Σ of each row's weights. */
      readonly tokens?: { readonly step: BufferIndex; readonly zero: BufferIndex; readonly sums: WeightIndex } | null;
    }
  | {
      readonly op: 'linear_bf16';
      readonly weight: WeightIndex;
      readonly x: BufferIndex;
      readonly y: BufferIndex;
      readonly bias?: WeightIndex | null;
      readonly residual?: ResidualRef | null;
      readonly act?: Activation;
    }
  | {
      readonly op: 'layer_norm';
      readonly x: BufferIndex;
      /** bf16, where x is f32 and stays as it is; without it x is normalised in place. */
      readonly y?: BufferIndex | null;
      readonly gamma: WeightIndex;
      readonly beta: WeightIndex;
      readonly epsilon: number;
      readonly quantized?: BufferIndex | null;
      readonly code?: Code | null;
      /** f32, one a feature: codes are those of the result times these. */
      readonly multipliers?: WeightIndex | null;
    }
  | { readonly op: 'quantize'; readonly x: BufferIndex; readonly y: BufferIndex; readonly code: Code }
  | {
      readonly op: 'quantize_tokens';
      readonly x: BufferIndex;
      readonly y: BufferIndex;
      readonly step: BufferIndex;
      readonly zero: BufferIndex;
      readonly form: TokenForm;
    }
  | {
      readonly op: 'dequantize';
      readonly x: BufferIndex;
      readonly y: BufferIndex;
      readonly code: Code;
      /** Index of f32 [features], added to each token. */
      readonly bias?: WeightIndex | null;
    }
  | { readonly op: 'narrow' | 'widen'; readonly x: BufferIndex; readonly y: BufferIndex }
  | {
      readonly op: 'attention';
      readonly q: BufferIndex;
      readonly k: BufferIndex;
      readonly v: BufferIndex;
      readonly y: BufferIndex;
      readonly heads: number;
      readonly scale: number;
      /** u8 codes by which scaled products, before the key bias, and probabilities are rounded. */
      readonly scores?: Code | null;
      readonly probabilities?: Code | null;
    }
  | {
      readonly op: 'attention_i8';
      readonly q: BufferIndex;
      readonly k: BufferIndex;
      readonly v: BufferIndex;
      readonly y: BufferIndex;
      readonly heads: number;
      readonly scale: number;
      readonly out_scale: number;
      readonly zero: number;
    }
  | { readonly op: 'activate'; readonly x: BufferIndex; readonly y: BufferIndex; readonly act: Activation }
  | { readonly op: 'add_panels'; readonly a: BufferIndex; readonly b: BufferIndex; readonly y: BufferIndex }
  | {
      readonly op: 'generic';
      readonly kind: string;
      readonly x: readonly (BufferIndex | null)[];
      readonly y: readonly BufferIndex[];
      readonly attrs?: Readonly<Record<string, GenericAttribute>>;
    };
