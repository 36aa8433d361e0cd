import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeOriginalIr, type IrOperator, parseConfig, readIr } from '@neural-engine/ir';
import { describe, expect, it } from 'vitest';
import { transposeGraph } from './index';

const golden = join(process.env['NE_SHARED'] ?? fileURLToPath(new URL('../../../../shared', import.meta.url)), 'reference', 'golden');
const hasGolden = existsSync(golden);
if (!hasGolden) console.info("against the original's exporter: not tested, the shared data folder is absent");

/** Types and attributes as they are spelled, in order; of some types the type alone. */
const spelled = (operators: readonly IrOperator[], typeOnly: readonly string[]): unknown[] =>
  operators.slice(1, -1).map(({ type, attributes }) => [type, typeOnly.includes(type) ? '' : [...(attributes ?? [])]]);
const operatorsOf = (folder: string): readonly IrOperator[] => parseConfig(readFileSync(join(folder, 'conf.yaml'), 'utf8')).operators;

/** Bytes of the constants of a file by operator and position, but for the biases and what nothing reads. */
function weights(operators: readonly IrOperator[], bytes: Uint8Array): Buffer[] {
  const places = new Map(operators[0]!.outputs.flatMap(({ name, location }) => (location ? [[name, location] as const] : [])));
  return operators
    .filter(({ type }) => type === 'InnerProduct')
    .map(({ inputs }) => {
      const [offset, length] = places.get(inputs[0]!) ?? places.get(inputs[1]!)!;
      return Buffer.from(bytes.subarray(offset, offset + length));
    });
}

describe.runIf(hasGolden)("the original's exporter", () => {
  it.each([
    // The heads of this model's mask are not those that the original looks up by the hidden size.
    ['small128', ['PaddingSequence'], 0],
    ['d384', [], 0],
    // The original makes the mask of BERT after the position rows; we make it before the embeddings.
    ['bert256', [], 3],
  ])('made the same operators, attributes and weights of %s, in this order', async (model, typeOnly, unordered) => {
    const { graph } = transposeGraph(await readIr(join(golden, model, 'int8-ir-1.3')));
    const encoded = encodeOriginalIr(graph);
    const [ours, genuine] = [parseConfig(encoded.config).operators, operatorsOf(join(golden, model, 'int8-transposed-ir-1.3'))];
    const [got, expected] = [ours, genuine].map((operators) => spelled(operators, typeOnly));
    expect(got!.slice(unordered)).toEqual(expected!.slice(unordered));
    expect(got!.slice(0, unordered)).toEqual(expect.arrayContaining(expected!.slice(0, unordered)));
    const genuineBytes = readFileSync(join(golden, model, 'int8-transposed-ir-1.3', 'model.bin'));
    const pairs = weights(ours, Buffer.concat(encoded.weights)).map((bytes, i) => bytes.equals(weights(genuine, genuineBytes)[i]!));
    expect(pairs.length).toBeGreaterThan(12);
    expect(pairs.every(Boolean)).toBe(true);
  });
  it('transposes a file that was untransposed on reading back to what it was', async () => {
    const { graph } = transposeGraph(await readIr(join(golden, 'd384', 'int8-transposed-ir-1.3')));
    const ours = parseConfig(encodeOriginalIr(graph).config).operators;
    expect(spelled(ours, [])).toEqual(spelled(operatorsOf(join(golden, 'd384', 'int8-transposed-ir-1.3')), []));
  });
});
