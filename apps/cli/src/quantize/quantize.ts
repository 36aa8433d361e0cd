import { EngineError, type OutputKind } from '@neural-engine/core';
import { demoCalibrationPath, demoSamplesPath } from '@neural-engine/demo-model';
import {
  calibrateGraph,
  compileModel,
  locate,
  parseBudget,
  quantize,
  quantizeWithin,
  tokenizerOf,
  type WithinResult,
  writeIr,
} from '@neural-engine/engine';
import type { Graph } from '@neural-engine/ir';
import {
  type Calibration,
  type CalibrationMethod,
  type Precision,
  printRecipe,
  quantizeGraph,
  type Recipe,
  requirePrecision,
  select,
  type Warning,
  weightWarnings,
} from '@neural-engine/quantizer';
import { positiveInteger } from '../context';
import { evaluate } from '../evaluate';
import { progress } from '../output/progress';
import { Outputs } from '../outputs';
import { completeRecipe, type RecipeFlags, recipeOf } from './recipe-flags';
import { readSamples, type SampleSet } from './samples';

export interface QuantizeFlags extends RecipeFlags {
  readonly precision?: string;
  readonly calibration?: string;
  readonly samples?: string;
  readonly ignoreNan?: boolean;
  readonly onError?: string;
  readonly tokenizer?: string;
  readonly threads?: string;
}

export interface SearchFlags {
  readonly maxDrop: string;
  readonly task: string;
  readonly data?: string;
  readonly limit?: string;
  readonly confident?: boolean;
  readonly maxTrials?: string;
}

/** Ranges are cut so that the mean square error is least, unless told otherwise. */
export const DEFAULT_METHOD: CalibrationMethod = 'mse';

export interface QuantizedModel {
  readonly graph: Graph;
  readonly precision: Precision;
  readonly products: number;
  readonly attentions: number;
  /** Calibration samples; 0 where the precision needs none. */
  readonly samples: number;
  /** What deserves a look: constant values, extreme ranges, left-out values and records. */
  readonly warnings: readonly Warning[];
  /** The recipe that makes this model again. */
  readonly recipe: Recipe;
  readonly search?: WithinResult;
  /** What calibration found. */
  readonly ranges?: Calibration['ranges'];
}

/** Compiles a model and turns it into the precision asked for, calibrating where that needs it. */
export async function quantizeModel(path: string, flags: QuantizeFlags, search?: SearchFlags): Promise<QuantizedModel> {
  const precision = requirePrecision(flags.precision ?? 'int8', '--precision');
  refuseBetweenOfFp32(precision, flags.between);
  const graph = await compileModel(path);
  if (precision === 'fp32') return { graph, precision, products: 0, attentions: 0, samples: 0, warnings: [], recipe: {} };
  if (precision !== 'int8') {
    if (search) throw new EngineError('E_USAGE', 'usage', `--max-drop goes with --precision int8, not ${precision}`);
    const recipe = await recipeOf(flags);
    const made = await quantize(graph, { precision, recipe });
    const { products } = select(graph, recipe, precision);
    // Attention between such products stays f32.
    return { graph: made.graph, precision, products: products.size, attentions: 0, samples: 0, warnings: [], recipe };
  }
  const calibrated = await calibrateModel(path, graph, flags);
  const { calibration, set, recipe } = calibrated;
  const found = search ? await searchModel(path, graph, calibrated, flags, search) : undefined;
  const used = found?.recipe ?? recipe;
  const { products, attentions } = select(graph, used);
  return {
    graph: found?.graph ?? quantizeGraph(graph, calibration.ranges, used),
    precision,
    products: products.size,
    attentions: attentions.size,
    samples: set.count,
    warnings: [...warningsOf(calibrated), ...weightWarnings(graph, used)],
    recipe: completeRecipe(graph, used, used.method ?? DEFAULT_METHOD, precision),
    ranges: calibration.ranges,
    ...(found ? { search: found } : {}),
  };
}

/** @throws {EngineError} E_USAGE --between stands beside fp32. */
export function refuseBetweenOfFp32(precision: Precision, between: string | undefined): void {
  if (precision === 'fp32' && between !== undefined)
    throw new EngineError('E_USAGE', 'usage', '--between goes with a precision other than fp32');
}

/** The recipe that the flags mean for a model, without running anything. */
export async function dryRun(path: string, flags: QuantizeFlags): Promise<string> {
  const precision = requirePrecision(flags.precision ?? 'int8', '--precision');
  if (precision === 'fp32') throw new EngineError('E_USAGE', 'usage', '--dry-run goes with a precision other than fp32');
  const graph = await compileModel(path);
  const recipe = await recipeOf(flags);
  return printRecipe(completeRecipe(graph, recipe, recipe.method ?? DEFAULT_METHOD, precision));
}

export interface CalibratedModel {
  readonly calibration: Calibration;
  readonly set: SampleSet;
  readonly recipe: Recipe;
}

/** Reads samples and observes a graph on them, with a bar. */
export async function calibrateModel(path: string, graph: Graph, flags: QuantizeFlags): Promise<CalibratedModel> {
  const recipe = await recipeOf(flags);
  select(graph, recipe); // refuses now what calibration would find out late
  const onError = flags.onError ?? 'fail';
  if (onError !== 'fail' && onError !== 'skip') throw new EngineError('E_USAGE', 'usage', `--on-error ${onError}: expected fail or skip`);
  const located = locate(path);
  const set = await readSamples(
    flags.calibration ?? demoCalibrationPath(),
    graph,
    () => tokenizerOf(flags.tokenizer ?? ('directory' in located ? located.directory : undefined)),
    { limit: positiveInteger('--samples', flags.samples ?? '512'), onError },
  );
  const bar = progress('calibrating', set.runs.length);
  try {
    const calibration = await calibrateGraph(graph, {
      samples: set.runs,
      method: recipe.method ?? DEFAULT_METHOD,
      recipe,
      ...(recipe.percentile === undefined ? {} : { percentile: recipe.percentile }),
      ...(flags.ignoreNan ? { ignoreNonFinite: true } : {}),
      ...(flags.threads ? { threads: positiveInteger('--threads', flags.threads, 1024) } : {}),
      onProgress: (done) => bar.update(done),
    });
    return { calibration, set, recipe };
  } finally {
    bar.stop();
  }
}

function warningsOf({ calibration, set }: CalibratedModel): Warning[] {
  const warnings = [...calibration.warnings];
  if (set.count < 32) warnings.push({ where: 'calibration', message: `has only ${set.count} samples: ranges may be too narrow` });
  if (set.skipped > 0) warnings.push({ where: 'calibration', message: `${set.skipped} bad records were left out` });
  return warnings;
}

const RANKING_RUNS = 6;

/** The runs on which layers are ranked: a few, of all lengths. */
export function rankingRuns({ runs }: SampleSet): SampleSet['runs'] {
  const stride = Math.max(1, Math.floor(runs.length / RANKING_RUNS));
  return runs.filter((_, i) => i % stride === 0).slice(0, RANKING_RUNS);
}

async function searchModel(
  path: string,
  graph: Graph,
  { calibration, set, recipe }: CalibratedModel,
  flags: QuantizeFlags,
  search: SearchFlags,
): Promise<WithinResult> {
  const budget = parseBudget(search.maxDrop, '--max-drop');
  const located = locate(path);
  const tokenizer = await tokenizerOf(flags.tokenizer ?? ('directory' in located ? located.directory : undefined));
  const threads = flags.threads === undefined ? undefined : positiveInteger('--threads', flags.threads, 1024);
  const bar = progress('ranking layers', 1);
  try {
    return await quantizeWithin(graph, {
      calibration,
      recipe,
      budget,
      rankOn: rankingRuns(set),
      score: (candidate, label) =>
        evaluate(candidate, {
          task: search.task,
          data: search.data ?? demoSamplesPath(),
          batchSize: 8,
          engine: 'neural-engine',
          tokenizer,
          title: label,
          ...(search.limit ? { limit: positiveInteger('--limit', search.limit) } : {}),
          ...(threads === undefined ? {} : { threads }),
        }),
      ...(search.confident ? { confident: true } : {}),
      ...(search.maxTrials ? { maxTrials: positiveInteger('--max-trials', search.maxTrials, 10_000) } : {}),
      ...(threads === undefined ? {} : { threads }),
      onRanked: (done, total) => bar.update(done / total),
    });
  } finally {
    bar.stop();
  }
}

/** @throws {EngineError} E_QUANT a search ended without a model that keeps the metric. */
export function refuseFailedSearch({ search }: Pick<QuantizedModel, 'search'>): void {
  if (!search || search.graph) return;
  const { drop } = search.trials.at(-1)!.measure;
  throw new EngineError(
    'E_QUANT',
    'quantize',
    `no trial stayed within ${search.allowed.toFixed(2)} points of fp32; after ${search.trials.length} trials the drop is ${drop.toFixed(2)}. Nothing was written: allow a larger --max-drop, more --max-trials or other calibration data`,
  );
}

/** Where a quantised model goes. */
export interface SaveFlags {
  readonly output: string;
  /** A file for the recipe that made it. */
  readonly saveRecipe?: string;
  readonly force?: boolean;
}

/** Claims what is written, before minutes of calibration. */
export function claimQuantized(path: string, flags: QuantizeFlags & SaveFlags, kind: OutputKind, search?: SearchFlags): Promise<Outputs> {
  const wanted = [
    { flag: '--output', path: flags.output, kind },
    { flag: '--save-recipe', path: flags.saveRecipe },
  ];
  return Outputs.claim(wanted, [path, flags.calibration, flags.recipe, search?.data], flags.force);
}

/** Quantises a model and saves it as IR. @throws {EngineError} what claiming, compiling, calibrating, searching and saving throw. */
export async function quantizeToIr(path: string, flags: QuantizeFlags & SaveFlags, search?: SearchFlags): Promise<QuantizedModel> {
  requirePrecision(flags.precision ?? 'int8', '--precision');
  using outputs = await claimQuantized(path, flags, 'folder', search);
  const made = await quantizeModel(path, flags, search);
  refuseFailedSearch(made);
  await writeIr(made.graph, flags.output, outputs.how(flags.output));
  await outputs.save(flags.saveRecipe, () => printRecipe(made.recipe));
  return made;
}
