import type { Graph, Node } from '@neural-engine/ir';
import type { Activation, Code, ComputeDType, TokenForm } from '@neural-engine/kernels';

/** What the runtime keeps of a model: everything that does not depend on input shapes. Serialisable, so that a warm load skips preparing. */
export interface Prepared {
  /** The graph without its large constants (they have a shape but no data). */
  readonly graph: Graph;
  /** In topological order. */
  readonly nodes: readonly PreparedNode[];
  /** Values that live in panels. */
  readonly panels: ReadonlyMap<string, PanelValue>;
  readonly components: readonly Component[];
  /** Index in the weight set of each constant that a step reads as a plain tensor. */
  readonly tensors: ReadonlyMap<string, number>;
  /** dtype and dims of the weight set's entries that steps read as buffers (embedding tables). */
  readonly tables: ReadonlyMap<number, { readonly dtype: ComputeDType; readonly dims: readonly number[] }>;
  readonly choices: readonly WeightChoice[];
}

/** A value kept as panels `[features][64 tokens]`. */
export interface PanelValue {
  readonly features: number;
  readonly dtype: 'f32' | 'bf16' | 'u8' | 's8';
  /** Index into {@link Prepared.components}. */
  readonly component: number;
}

/** Panel nodes that hand panels to each other and so share one set of rows. */
export interface Component {
  /** `tokens`: batch × sequence with spans; `rows`: rows of a matrix. */
  readonly kind: 'tokens' | 'rows';
  /** A graph value whose dims without the last one are the component's rows. */
  readonly rowsOf: string;
  /** The `[batch, sequence]` mask that attention in this component obeys. */
  readonly mask?: string;
  /** Additive bias of masked keys. */
  readonly maskedBias: number;
  /** Masked tokens are left out of all work. */
  readonly pack: boolean;
  /** Why it packs or does not. */
  readonly packReason: string;
  /** First tokens are read behind the encoder: a run that masks one computes all. */
  readonly readsFirst?: boolean;
}

export type PreparedNode = { readonly name: string; readonly reads: readonly string[]; readonly writes: readonly string[] } & (
  | { readonly kind: 'panel'; readonly component: number; readonly op: PanelOp }
  | { readonly kind: 'generic'; readonly node: Node }
);

/** Strings are values; numbers under `weight`, `bias`, … are indices into the weight set. */
export type PanelOp =
  | { op: 'embed'; ids: string; word: number; position: number | null; types: string | null; typeTable: number | null; y: string }
  | { op: 'linear'; x: string; y: string; weight: number; bias: number | null; residual: string | null; act: Activation }
  | { op: 'linear_bf16'; x: string; y: string; weight: number; bias: number | null; residual: string | null; act: Activation }
  | {
      op: 'linear_i8';
      x: string;
      y: string;
      weight: number;
      init: number;
      mul: number;
      add: number;
      residual: string | null;
      act: Activation;
      code: Code | null;
      table: number | null;
      /** The output is u8 with zero point 128 where the graph says s8: the form in which attention reads queries. */
      unsigned: boolean;
      /** Where x is coded token by token: its steps and zero points, and Σ of each row's weights. */
      tokens: { step: string; zero: string; sums: number } | null;
    }
  | {
      op: 'layer_norm';
      x: string;
      y: string;
      gamma: number;
      beta: number;
      epsilon: number;
      quantized: string | null;
      code: Code | null;
      /** What each feature is multiplied by before it is coded: an f32 weight. */
      multipliers: number | null;
    }
  | {
      op: 'quantize';
      x: string;
      y: string;
      code: Code;
      /** As of `linear_i8`. */
      unsigned: boolean;
    }
  | { op: 'quantize_tokens'; x: string; y: string; step: string; zero: string; form: TokenForm }
  | { op: 'dequantize'; x: string; y: string; code: Code; bias: number | null }
  | { op: 'narrow'; x: string; y: string }
  | {
      op: 'attention';
      q: string;
      k: string;
      v: string;
      y: string;
      heads: number;
      scale: number;
      /** u8 codes by which scaled products and probabilities are rounded. */
      scores: Code | null;
      probabilities: Code | null;
    }
  | { op: 'attention_i8'; q: string; k: string; v: string; y: string; heads: number; scale: number; outScale: number; zero: number }
  | { op: 'activate'; x: string; y: string; act: Activation }
  | { op: 'add'; a: string; b: string; y: string };

/** How a weight is stored, and why. */
export interface WeightChoice {
  readonly node: string;
  readonly weight: string;
  /** Index in the weight set. */
  readonly entry: number;
  /** Whether blocks of zeros are skipped, or left out. */
  readonly sparse: boolean;
  readonly out: number;
  readonly in: number;
  readonly zeroRatio: number;
  readonly reason: string;
  /** Speed relative to the best dense kernel, estimated or measured; 1 for a dense weight. */
  readonly gain: number;
}

/** Which kernel a weight runs on here, and why: what `inspect`, `profile` and `sparsity` print. */
export interface KernelChoice extends WeightChoice {
  /** As the kernels name it. */
  readonly kernel: string;
  /** Bytes of the packed weight. */
  readonly sizeBytes: number;
}
