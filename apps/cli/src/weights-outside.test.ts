import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeModel, makeNode, makeTensor, makeValueInfo, type OnnxModel, readModel, writeModel } from '@neural-engine/onnx';
import { afterAll, expect, it } from 'vitest';
import { encoderModel } from '../../../tooling/models/encoder';
import { quantizeToOnnx } from './quantize/quantize-onnx';
import { weightsOutside } from './weights-outside';

const folder = mkdtempSync(join(tmpdir(), 'ne-outside-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A model whose weights say that they have so many bytes. */
function modelOf(byteLength: number): OnnxModel {
  const weight = makeTensor('w', 'u8', [1], new Uint8Array(1));
  const model = makeModel({
    nodes: [makeNode('Add', ['x', 'w'], ['y'])],
    inputs: [makeValueInfo('x', 'u8')],
    outputs: [makeValueInfo('y', 'u8')],
  });
  for (const name of ['v', 'w']) model.graph.initializers.set(name, { ...weight, name, byteLength: byteLength / 2 });
  return model;
}

it('puts weights outside where one file cannot hold them', () => {
  expect(weightsOutside(modelOf(10), modelOf(2 ** 30))).toEqual({});
  expect(weightsOutside(modelOf(10), modelOf(2 ** 31))).toEqual({ externalData: {} });
});

it('puts the weights of a quantised model outside where those of its source are', async () => {
  const shape = { family: 'distilbert', layers: 1, hidden: 32, heads: 2, ffn: 64, vocabulary: 100, positions: 32 } as const;
  const [source, output] = [join(folder, 'source.onnx'), join(folder, 'out.onnx')];
  await writeModel(encoderModel({ ...shape, sparsity: 0, seed: 1 }), source, { externalData: {} });
  await quantizeToOnnx(source, { precision: 'bf16', output });
  const data = readdirSync(folder).find((name) => name.startsWith('out.onnx-'));
  const locations = [...(await readModel(output)).graph.initializers.values()].map(({ external }) => external?.location);
  expect(data).toMatch(/\.data$/);
  expect(locations).toContain(data);
});
