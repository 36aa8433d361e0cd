import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoModelDirectory } from '@neural-engine/demo-model';
import { makeModel, makeNode, makeTensor, makeValueInfo, writeModel } from '@neural-engine/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quantizeModel } from './quantize';

const folder = mkdtempSync(join(tmpdir(), 'ne-max-drop-'));
process.env['NE_CACHE_DIR'] = join(folder, 'cache');
afterAll(() => rmSync(folder, { recursive: true }));

const WIDTH = 16;
const data = join(folder, 'stsb.tsv');

/** A regressor: the mean of token vectors through two products. Its scores have nothing to do with the labels but a common trend. */
beforeAll(async () => {
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'vocab.txt'])
    copyFileSync(join(demoModelDirectory(), name), join(folder, name));
  const wave = (count: number, speed: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(i * speed));
  await writeModel(
    makeModel({
      nodes: [
        makeNode('Gather', ['table', 'input_ids'], ['vectors'], { name: 'words' }),
        makeNode('MatMul', ['vectors', 'a'], ['h'], { name: 'first' }),
        makeNode('Relu', ['h'], ['r'], { name: 'relu' }),
        makeNode('MatMul', ['r', 'b'], ['s'], { name: 'second' }),
        makeNode('ReduceSum', ['s', 'axes'], ['logits'], { name: 'sum', attributes: { keepdims: { type: 'int', value: 0n } } }),
      ],
      inputs: [makeValueInfo('input_ids', 's64', ['batch', 'sequence'])],
      outputs: [makeValueInfo('logits', 'f32', ['batch', 1])],
      initializers: [
        makeTensor('table', 'f32', [30_522, WIDTH], wave(30_522 * WIDTH, 12.9898)),
        makeTensor('a', 'f32', [WIDTH, WIDTH], wave(WIDTH * WIDTH, 0.7)),
        makeTensor('b', 'f32', [WIDTH, 1], wave(WIDTH, 1.1)),
        makeTensor('axes', 's64', [1], BigInt64Array.of(1n)),
      ],
    }),
    join(folder, 'model.onnx'),
  );
  const words = ['a', 'film', 'about', 'the', 'sea', 'and', 'old', 'men', 'who', 'sail', 'home', 'again'];
  const rows = Array.from({ length: 40 }, (_, i) => {
    const pick = (from: number, count: number): string =>
      Array.from({ length: count }, (_, j) => words[(from + j * 5) % words.length]).join(' ');
    return `${pick(i, 2 + (i % 4))}\t${pick(i * 3, 2 + (i % 3))}\t${(2.5 + 2.4 * Math.sin(i)).toFixed(3)}`;
  });
  writeFileSync(data, `sentence1\tsentence2\tscore\n${rows.join('\n')}\n`);
});

describe('ne quantize --max-drop', () => {
  it("keeps a regressor's correlation with the labels", async () => {
    const flags = { calibration: data, threads: '1' };
    const { search } = await quantizeModel(folder, flags, { maxDrop: '5', task: 'stsb', data });
    const [trial] = search!.trials;
    expect(trial).toMatchObject({ accepted: true, fallbacks: [] });
    const { metric, drop, dropLower, dropUpper } = trial!.measure;
    expect(Math.abs(search!.baseline)).toBeLessThanOrEqual(100);
    expect(metric).toBeCloseTo(search!.baseline - drop, 9);
    expect(drop).not.toBe(0);
    expect(dropLower).toBeLessThan(drop);
    expect(dropUpper).toBeGreaterThan(drop);
  });
});
