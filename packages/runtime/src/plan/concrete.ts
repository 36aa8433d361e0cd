import type { DType, Tensor } from '@neural-engine/core';

/** A value once input shapes are known. */
export interface ConcreteValue {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** Elements that are known while planning: small constants and shape arithmetic. */
  readonly constant?: Tensor;
}
