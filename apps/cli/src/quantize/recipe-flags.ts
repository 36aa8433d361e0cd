import { EngineError } from '@neural-engine/core';
import type { Graph } from '@neural-engine/ir';
import {
  BETWEEN,
  CALIBRATION_METHODS,
  type CalibrationMethod,
  isProduct,
  type LayerPrecision,
  parseRecipe,
  type QuantizedPrecision,
  type Recipe,
  select,
} from '@neural-engine/quantizer';
import { readText } from '../files';

export interface RecipeFlags {
  readonly recipe?: string;
  readonly keep?: string;
  readonly heads?: boolean;
  readonly method?: string;
  readonly percentile?: string;
  /** False where the flag --no-balance stands. */
  readonly balance?: boolean;
  readonly between?: string;
}

/** What the flags and the recipe file say; flags win. @throws {EngineError} E_USAGE, E_NOT_FOUND, E_PARSE. */
export async function recipeOf(flags: RecipeFlags): Promise<Recipe> {
  const file = flags.recipe === undefined ? {} : parseRecipe(await readText(flags.recipe), flags.recipe);
  const method = flags.method === undefined ? undefined : CALIBRATION_METHODS.find((name) => name === flags.method);
  if (flags.method !== undefined && method === undefined)
    throw new EngineError('E_USAGE', 'usage', `--method ${flags.method}: expected one of ${CALIBRATION_METHODS.join(', ')}`);
  const between = flags.between === undefined ? undefined : BETWEEN.find((name) => name === flags.between);
  if (flags.between !== undefined && between === undefined)
    throw new EngineError('E_USAGE', 'usage', `--between ${flags.between}: expected one of ${BETWEEN.join(', ')}`);
  const percentile = flags.percentile === undefined ? undefined : percentileOf(flags.percentile);
  return {
    ...file,
    balance: flags.balance !== false && file.balance !== false,
    ...(method ? { method } : {}),
    ...(percentile === undefined ? {} : { percentile }),
    ...(between ? { between } : {}),
    ...(flags.heads ? { heads: true } : {}),
    ...(flags.keep ? { keep: flags.keep.split(',') } : {}),
  };
}

function percentileOf(text: string): number {
  const value = Number(text);
  if (value > 50 && value <= 100) return value;
  throw new EngineError('E_USAGE', 'usage', `--percentile ${text}: expected more than 50 and at most 100`);
}

/** A recipe that names every product and attention block with what it will be in a model of some precision. */
export function completeRecipe(graph: Graph, recipe: Recipe, method: CalibrationMethod, precision: QuantizedPrecision): Recipe {
  const { products, halves, attentions } = select(graph, recipe, precision);
  const layers: Record<string, LayerPrecision> = {};
  for (const node of graph.nodes) {
    if (products.has(node) || attentions.has(node)) layers[node.name] = precision === 'bf16' ? 'bf16' : 'int8';
    else if (halves.has(node)) layers[node.name] = 'bf16';
    else if (isProduct(graph, node) || node.op === 'Attention') layers[node.name] = 'fp32';
  }
  const { keep: _, ...rest } = recipe;
  return { ...rest, method, layers };
}
