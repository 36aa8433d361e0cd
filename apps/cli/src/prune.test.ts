import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoCalibrationPath, demoModelDirectory, demoSamplesPath } from '@neural-engine/demo-model';
import { readModel, writeModel } from '@neural-engine/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encoderModel } from '../../../tooling/models/encoder';
import { pruneToOnnx } from './prune';

const folder = mkdtempSync(join(tmpdir(), 'ne-prune-'));
const model = join(folder, 'model.onnx');
const base = { block: '4x1', sparsity: '0.75', samples: '2', tokenizer: demoModelDirectory(), threads: '1' };
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(async () => {
  const shape = { family: 'distilbert', layers: 1, hidden: 64, heads: 2, ffn: 128, vocabulary: 30522, positions: 512 } as const;
  await writeModel(encoderModel(shape), model);
});

describe('ne prune', () => {
  it('saves a pruned ONNX model, and says that accuracy was not measured and training not replaced', async () => {
    const output = join(folder, 'pruned.onnx');
    const { rows, notes, accuracy } = await pruneToOnnx(model, { ...base, output });
    expect(rows.filter(({ after }) => after === 0.75)).toHaveLength(6);
    expect(accuracy).toBeNull();
    expect(notes).toEqual([
      `6 weights are pruned, 1 product is left alone; saved to ${output}`,
      expect.stringContaining('the accuracy lost was not measured'),
      expect.stringContaining('does not replace training'),
    ]);
    const weight = (await readModel(output)).graph.initializers.get('layer.0.ffn1.weight')!;
    expect(Array.from(weight.data() as Float32Array).filter((value) => value === 0)).toHaveLength(0.75 * 64 * 128);
    await expect(pruneToOnnx(model, { ...base, output })).rejects.toMatchObject({ code: 'E_CANTCREAT' });
  });
  it('weighs by inputs on questions, and measures what it cost on others', async () => {
    const output = join(folder, 'calibrated.onnx');
    const { rows, accuracy, notes } = await pruneToOnnx(model, {
      ...base,
      output,
      calibration: demoCalibrationPath(),
      data: demoSamplesPath(),
      limit: '2',
    });
    expect(rows.filter(({ reason }) => reason === 'by weight times input')).toHaveLength(6);
    expect(accuracy).toMatchObject({ questions: 2, lostF1: accuracy!.before.f1 - accuracy!.after.f1 });
    expect(notes[1]).toMatch(/^F1 \d+\.\d\d → \d+\.\d\d \(-?\d+\.\d\d lost\)/);
  });
  it.each([
    [{ block: '2x2' }, 'E_USAGE'],
    [{ sparsity: '80%' }, 'E_USAGE'],
    [{ keep: 'nothing' }, 'E_USAGE'],
  ])('refuses %o and leaves nothing behind', async (flags, code) => {
    const output = join(folder, 'refused.onnx');
    await expect(pruneToOnnx(model, { ...base, output, ...flags })).rejects.toMatchObject({ code });
    expect(existsSync(output)).toBe(false);
  });
  it('refuses what is no ONNX model', async () => {
    const ir = join(folder, 'ir');
    mkdirSync(ir);
    writeFileSync(join(ir, 'conf.yaml'), '');
    writeFileSync(join(ir, 'model.bin'), '');
    await expect(pruneToOnnx(ir, { ...base, output: join(folder, 'x.onnx') })).rejects.toThrow('is no ONNX model');
  });
});
