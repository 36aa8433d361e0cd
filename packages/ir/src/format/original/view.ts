/**
 * What a tensor of the original's graph stands for.
 *
 * The original reshapes and permutes activations between two, three and four dimensions and, in transposed files, keeps them hidden-first.
 * None of that changes what is computed, so the reader follows meaning instead of layout: an activation is always [batch, sequence, hidden].
 */
export type View =
  | { readonly kind: 'constant'; readonly name: string }
  /** A graph input, or its flattened form. */
  | { readonly kind: 'input'; readonly name: string }
  /**
   * An activation; `heads` once it was split. A `dynamic` one is 8-bit in the file, with a scale that each run finds for each token; the
   * value is still f32 here, and becomes codes where a product reads it.
   */
  | { readonly kind: 'tokens'; readonly name: string; readonly heads?: number; readonly dynamic?: DynamicForm }
  /** Minimum or scale of a dynamic activation: it goes where the activation goes. */
  | { readonly kind: 'scale' }
  /** A value of any other shape. */
  | { readonly kind: 'plain'; readonly name: string }
  /** The first rows of a position table. */
  | { readonly kind: 'positions'; readonly table: string }
  /** Gathered tables that are still being added. */
  | { readonly kind: 'embeddings'; readonly gathered: readonly { ids: string; table: string }[]; readonly position?: string }
  | { readonly kind: 'mask'; readonly mask: string }
  | {
      readonly kind: 'scores';
      readonly q: string;
      readonly k: string;
      readonly heads: number;
      readonly scale: number;
      readonly mask?: string;
      readonly ranges?: Ranges;
      /** Upper end of the range in which probabilities are coded. */
      readonly probabilityMax?: number;
    };

/** s8 codes are symmetric, u8 codes have a zero point. */
export type DynamicForm = 'symmetric' | 'asymmetric';

/** Names of the min and max tensors of queries and keys. */
export type Ranges = readonly [string, string, string, string];
