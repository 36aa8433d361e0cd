import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { demoModelPath } from '@neural-engine/demo-model';
import { compileModel, load } from '@neural-engine/engine';
import { writeModel } from '@neural-engine/onnx';
import { afterAll, describe, expect, it } from 'vitest';
import { BASE, type EncoderShape, encoderModel } from '../../../tooling/models/encoder';
import { diffWithOrt } from './diff';
import { readNpz } from './npz';

const folder = mkdtempSync(join(tmpdir(), 'ne-diff-'));
afterAll(() => rmSync(folder, { recursive: true }));
process.env['NE_CACHE_DIR'] = folder;

const shared = process.env['NE_SHARED'] ?? fileURLToPath(new URL('../../../../shared', import.meta.url));
const hasShared = existsSync(join(shared, 'models'));
if (!hasShared) console.info('exported models: not tested, the shared data folder is absent');

const tolerance = { batch: 3, seqLen: 70, rtol: 1e-3, atol: 1e-5, inside: false };
const decomposed = ['Erf', 'Softmax', 'ReduceMean', 'Sqrt', 'LayerNormalization', 'MatMul'];

async function operators(path: string): Promise<string[]> {
  return (await compileModel(path)).nodes.map((node) => node.op);
}

describe('against ONNX Runtime', () => {
  it('agrees on the demo model, inside as well as outside', async () => {
    const { rows, agrees } = await diffWithOrt(demoModelPath(), { ...tolerance, inside: true });
    expect(agrees).toBe(true);
    expect(rows.length).toBeGreaterThan(40);
    expect(rows.filter((row) => row['agrees'] !== 'yes')).toEqual([]);
  });

  it.each(['bert', 'distilbert'] as const)('agrees on a generated %s of 6 layers and width 768', async (family) => {
    const shape: EncoderShape = { ...BASE, vocabulary: 1000, family, seed: 3 };
    const path = join(folder, `${family}.onnx`);
    await writeModel(encoderModel(shape), path);
    expect((await operators(path)).filter((op) => decomposed.includes(op))).toEqual([]);
    const { rows, agrees } = await diffWithOrt(path, { ...tolerance, batch: 2, seqLen: 40 });
    expect(rows.map((row) => row['agrees'])).toEqual(['yes', 'yes']);
    expect(agrees).toBe(true);
    rmSync(path);
  });

  it.runIf(hasShared)('agrees on both small trained encoders', async () => {
    for (const name of ['bert_tiny_emotion_encoder', 'bert_tiny_sst2_encoder']) {
      const path = join(shared, 'data', 'bert-tiny', `${name}.onnx`);
      expect(
        (await operators(path)).filter((op) => decomposed.includes(op)),
        name,
      ).toEqual([]);
      expect(await diffWithOrt(path, tolerance), name).toMatchObject({ agrees: true });
    }
  });

  const exported = hasShared ? readdirSync(join(shared, 'models', 'exports')).filter((file) => file.endsWith('.onnx')) : [];
  it.runIf(hasShared)('fuses and agrees on every exporter form', async () => {
    for (const file of exported) {
      const path = join(shared, 'models', 'exports', file);
      const stored = readNpz(readFileSync(path.replace(/\.onnx$/, '.npz')));
      const model = await load(path, { cache: false });
      expect(
        (await operators(path)).filter((op) => decomposed.includes(op)),
        file,
      ).toEqual([]);
      const session = await model.session({ threads: 1 });
      const feeds = Object.fromEntries(model.inputs.map((port) => [port.name, stored.get(port.name)!]));
      const outputs = await session.run(feeds);
      await session.close();
      const mask = stored.get('attention_mask')!;
      model.outputs.forEach((port, i) => {
        const [ours, theirs] = [outputs[port.name]!, stored.get(`output_${i}`)!];
        expect(ours.dims, `${file} ${port.name}`).toEqual(theirs.dims);
        const perRow = ours.dims[0] === mask.dims[0] && ours.dims[1] === mask.dims[1] ? ours.data.length / mask.data.length : 0;
        for (let at = 0; at < ours.data.length; at++) {
          if (perRow && Number(mask.data[Math.floor(at / perRow)]) === 0) continue;
          const [a, b] = [Number(ours.data[at]), Number(theirs.data[at])];
          if (Math.abs(a - b) > 1e-5 + 1e-3 * Math.abs(b)) expect.fail(`${file} ${port.name}[${at}]: ${a}, ONNX Runtime has ${b}`);
        }
      });
    }
  });
});
