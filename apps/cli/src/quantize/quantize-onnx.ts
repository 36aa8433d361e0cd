import { EngineError } from '@neural-engine/core';
import { compileModel, locate } from '@neural-engine/engine';
import { readModel, writeModel } from '@neural-engine/onnx';
import { requirePrecision, select, toBf16Onnx } from '@neural-engine/quantizer';
import type { QuantizedModel, QuantizeFlags } from './quantize';
import { recipeOf } from './recipe-flags';

/**
 * Writes a model as bf16 ONNX, which ONNX Runtime loads too.
 *
 * @throws {EngineError} E_USAGE the precision is another, or the model is no ONNX file; what compiling, rounding and saving throw.
 */
export async function quantizeToOnnx(
  path: string,
  flags: QuantizeFlags & { output: string; force?: boolean },
): Promise<Omit<QuantizedModel, 'graph'>> {
  const precision = requirePrecision(flags.precision ?? 'int8', '--precision');
  if (precision !== 'bf16')
    throw new EngineError(
      'E_USAGE',
      'usage',
      `--output ${flags.output}: ${precision} is saved to an IR folder; ONNX files are written for bf16`,
    );
  const located = locate(path);
  if (located.kind !== 'onnx-file')
    throw new EngineError('E_USAGE', 'usage', `--output ${flags.output}: an ONNX file is made from one, and "${path}" is none`);
  const model = await readModel(located.file);
  const graph = await compileModel(model);
  const recipe = await recipeOf(flags);
  const { products } = select(graph, recipe);
  const weights = new Map([...products].map((node) => [node.inputs[1]!, graph.constant(node.inputs[1])!]));
  await writeModel(toBf16Onnx(model, weights), flags.output, { force: flags.force ?? false });
  return { precision, products: products.size, attentions: 0, samples: 0, warnings: [], recipe };
}
