import type { GenericAttribute } from '@neural-engine/kernels';
import type { ConcreteValue } from '../../plan/concrete';

/** One native row-major step. Names are graph values or {@link GenericLowering} temporaries; undefined for an absent optional input. */
export interface GenericStep {
  readonly kind: string;
  readonly x: readonly (string | undefined)[];
  readonly y: readonly string[];
  readonly attrs: Record<string, GenericAttribute>;
}

/** What a generic node becomes for concrete shapes: steps, or nothing but another name for its input's memory. */
export type GenericLowering =
  | { readonly alias: string }
  | {
      readonly steps: readonly GenericStep[];
      /** Memory between the steps, and (with `constant`) small constants that lowering made. Names must not collide with the graph's. */
      readonly temporaries?: readonly ConcreteValue[];
    };
