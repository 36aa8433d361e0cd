import { EngineError } from '@neural-engine/core';
import { BETWEEN, type Between } from './between';
import { CALIBRATION_METHODS, type CalibrationMethod } from './choose-range';

/** What one product or attention block is computed in. */
export const LAYER_PRECISIONS = ['int8', 'bf16', 'fp32'] as const;
export type LayerPrecision = (typeof LAYER_PRECISIONS)[number];

/** What each layer of a model is computed in, and how ranges are chosen. Names are node names. */
export interface Recipe {
  /** Products and attention blocks whose precision is not the default. */
  readonly layers?: Readonly<Record<string, LayerPrecision>>;
  /** Products and attention blocks that stay f32: short for `layers: { name: 'fp32' }`. */
  readonly keep?: readonly string[];
  /** Also quantise products with fewer than 16 output channels (heads). */
  readonly heads?: boolean;
  /** How ranges are chosen where calibration is not told otherwise. */
  readonly method?: CalibrationMethod;
  readonly percentile?: number;
  /** Code channels that reach further than others apart (`channels/`). Default false. */
  readonly balance?: boolean;
  /** What products and LayerNorm give one another: `bf16` rounds it, to half the memory. Default `fp32`. */
  readonly between?: Between;
}

/** A recipe as a file: stable order, one layer a line. */
export function printRecipe(recipe: Recipe): string {
  const { method = 'minmax', percentile, balance, between, heads = false, layers = {}, keep = [] } = recipe;
  const all = { ...layers, ...Object.fromEntries(keep.map((name) => [name, 'fp32' as const])) };
  const cut = { method, ...(percentile === undefined ? {} : { percentile }) };
  const options = { ...(balance === undefined ? {} : { balance }), ...(between === undefined ? {} : { between }) };
  return `${JSON.stringify({ recipe: 1, ...cut, ...options, heads, layers: all }, null, 2)}\n`;
}

/**
 * Reads what {@link printRecipe} wrote.
 * @throws {EngineError} E_PARSE no JSON; E_USAGE not a recipe, or an entry of it that means nothing, named.
 */
export function parseRecipe(text: string, where = 'recipe'): Recipe {
  const fail = (message: string): never => {
    throw new EngineError('E_USAGE', 'quantize', `${where}: ${message}`, { where });
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new EngineError('E_PARSE', 'quantize', `${where} is no JSON: ${cause instanceof Error ? cause.message : ''}`, { where, cause });
  }
  if (!isObject(parsed) || parsed['recipe'] !== 1) return fail('expected an object with "recipe": 1');
  const known = ['recipe', 'method', 'percentile', 'balance', 'between', 'heads', 'layers'];
  for (const key of Object.keys(parsed)) if (!known.includes(key)) fail(`"${key}" is none of ${known.join(', ')}`);
  const { method, percentile, balance, between, heads, layers = {} } = parsed;
  if (method !== undefined && !CALIBRATION_METHODS.includes(method as CalibrationMethod))
    fail(`method ${JSON.stringify(method)} is none of ${CALIBRATION_METHODS.join(', ')}`);
  if (percentile !== undefined && typeof percentile !== 'number') fail('percentile is no number');
  if (between !== undefined && !BETWEEN.includes(between as Between))
    fail(`between ${JSON.stringify(between)} is none of ${BETWEEN.join(', ')}`);
  for (const [name, value] of Object.entries({ balance, heads }))
    if (value !== undefined && typeof value !== 'boolean') fail(`${name} is neither true nor false`);
  if (!isObject(layers)) return fail('layers is no object');
  for (const [name, precision] of Object.entries(layers)) {
    if (!LAYER_PRECISIONS.includes(precision as LayerPrecision))
      fail(`layer "${name}" is ${JSON.stringify(precision)}, none of ${LAYER_PRECISIONS.join(', ')}`);
  }
  return {
    layers: layers as Record<string, LayerPrecision>,
    ...(method === undefined ? {} : { method: method as CalibrationMethod }),
    ...(percentile === undefined ? {} : { percentile: percentile as number }),
    ...(balance === undefined ? {} : { balance: balance as boolean }),
    ...(between === undefined ? {} : { between: between as Between }),
    ...(heads === undefined ? {} : { heads: heads as boolean }),
  };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
