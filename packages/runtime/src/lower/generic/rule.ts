import type { DType } from '@neural-engine/core';
import type { Attributes } from '@neural-engine/ir';
import type { GenericBuilder } from './builder';

/** How one operator becomes native steps. */
export interface Rule {
  lower(builder: GenericBuilder): void;
  /** Why these dtypes (undefined for absent inputs) or attributes have no kernel; the schema has accepted them before. */
  obstacle?(inputs: readonly (DType | undefined)[], attributes: Attributes): string | undefined;
}

export type Rules = Readonly<Record<string, Rule>>;

/** Refuses dtypes outside `accepted` in the first input. */
export const only =
  (...accepted: readonly DType[]) =>
  ([dtype]: readonly (DType | undefined)[]): string | undefined =>
    dtype === undefined || accepted.includes(dtype) ? undefined : `${dtype} has no kernel`;
