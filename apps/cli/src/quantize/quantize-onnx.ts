import { EngineError } from '@neural-engine/core';
import { locate } from '@neural-engine/engine';
import { readModel, writeModel } from '@neural-engine/onnx';
import { type Precision, printRecipe, qdqOnnx, quantizeOnnx, type Recipe, requirePrecision } from '@neural-engine/quantizer';
import { weightsOutside } from '../weights-outside';
import {
  claimQuantized,
  type QuantizedModel,
  type QuantizeFlags,
  quantizeModel,
  refuseFailedSearch,
  type SaveFlags,
  type SearchFlags,
} from './quantize';
import { recipeOf } from './recipe-flags';

/** What only an ONNX file leaves open. */
export interface OnnxFlags {
  /** Static int8: Q/DQ pairs around the products of attention too. */
  readonly attention?: boolean;
  /** Put into the file, for programs that look after it. */
  readonly metadata?: ReadonlyMap<string, string>;
}

/**
 * Quantises an ONNX file to another, which ONNX Runtime runs too: Q/DQ pairs by a calibration of the compiled model, integer products with
 * ranges found at run time, or weights as bf16. Attention stays f32, unless int8 is asked to code it too.
 *
 * @throws {EngineError} E_USAGE the source is no ONNX file, or nothing is to be done; E_CANTCREAT the name is taken; what compiling,
 * calibrating, searching and saving throw.
 */
export async function quantizeToOnnx(
  path: string,
  flags: QuantizeFlags & SaveFlags & OnnxFlags,
  search?: SearchFlags,
): Promise<Omit<QuantizedModel, 'graph'>> {
  const precision = requirePrecision(flags.precision ?? 'int8', '--precision');
  const located = locate(path);
  if (located.kind !== 'onnx-file')
    throw new EngineError('E_USAGE', 'usage', `--output ${flags.output}: an ONNX file is made from one, and "${path}" is none`);
  if (precision === 'fp32')
    throw new EngineError('E_USAGE', 'usage', `--precision ${precision} --output ${flags.output}: the source is that already`);
  if (flags.attention && precision !== 'int8')
    throw new EngineError('E_USAGE', 'usage', `--attention goes with --precision int8, not ${precision}`);
  using outputs = await claimQuantized(path, flags, 'file', search);
  const source = await readModel(located.file);
  const made = precision === 'int8' ? await quantizeModel(path, flags, search) : await asked(precision, flags, search);
  refuseFailedSearch(made);
  const { recipe, ranges } = made;
  const { model, products, attentions, left } = ranges
    ? qdqOnnx(source, ranges, { recipe, attention: flags.attention ?? false })
    : await quantizeOnnx(source, { precision, recipe });
  for (const [key, value] of flags.metadata ?? []) model.metadata.set(key, value);
  await writeModel(model, flags.output, { ...outputs.how(flags.output), ...weightsOutside(source, model) });
  await outputs.save(flags.saveRecipe, () => printRecipe(recipe));
  const lost = left.map((where) => ({ where, message: 'stays f32: its form in the file is not known' }));
  return { ...made, products, attentions, warnings: [...made.warnings, ...lost] };
}

/** What needs no calibration. */
async function asked(precision: Precision, flags: QuantizeFlags, search?: SearchFlags): Promise<Omit<QuantizedModel, 'graph'>> {
  if (search) throw new EngineError('E_USAGE', 'usage', `--max-drop goes with --precision int8, not ${precision}`);
  const recipe: Recipe = await recipeOf(flags);
  return { precision, products: 0, attentions: 0, samples: 0, warnings: [], recipe };
}
