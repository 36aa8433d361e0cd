import { EngineError } from '@neural-engine/core';

/** What the products of a model are computed in. `int8` is static: it needs calibration. */
export const PRECISIONS = ['fp32', 'bf16', 'int8', 'dynamic-int8'] as const;
export type Precision = (typeof PRECISIONS)[number];

/** @throws {EngineError} E_USAGE no precision is called so. */
export function requirePrecision(name: string, where = 'precision'): Precision {
  const found = PRECISIONS.find((precision) => precision === name);
  if (found) return found;
  throw new EngineError('E_USAGE', 'quantize', `${where} ${name}: expected one of ${PRECISIONS.join(', ')}`, { where });
}
