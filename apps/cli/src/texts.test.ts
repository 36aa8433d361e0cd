import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { demoModelDirectory } from '@neural-engine/demo-model';
import { makeModel, makeNode, makeTensor, makeValueInfo, writeModel } from '@neural-engine/onnx';
import { loadTokenizer } from '@neural-engine/text';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluate } from './evaluate';
import { readNpz } from './npz';
import { classify, embed } from './texts';

const folder = mkdtempSync(join(tmpdir(), 'ne-texts-'));
process.env['NE_CACHE_DIR'] = join(folder, 'cache');
afterAll(() => rmSync(folder, { recursive: true }));

const GOOD = ['good', 'great', 'best', 'funny', 'beautiful', 'moving', 'love', 'fun', 'enjoyable', 'brilliant'];
const BAD = ['bad', 'worst', 'boring', 'dull', 'mess', 'stupid', 'fails', 'lack', 'tedious', 'flat'];

/** A classifier that counts words: each word's vector says what it stands for, logits are their sums. */
beforeAll(async () => {
  const demo = demoModelDirectory();
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'vocab.txt']) copyFileSync(join(demo, name), join(folder, name));
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ id2label: { 0: 'negative', 1: 'positive' } }));
  const tokenizer = await loadTokenizer(folder);
  const table = new Float32Array(30_522 * 2);
  for (const [words, side] of [
    [GOOD, 1],
    [BAD, 0],
  ] as const)
    for (const word of words) table[2 * tokenizer.encode(word).ids[1]! + side] = 1;
  await writeModel(
    makeModel({
      nodes: [
        makeNode('Gather', ['table', 'input_ids'], ['last_hidden_state'], { name: 'words' }),
        makeNode('ReduceSum', ['last_hidden_state', 'axes'], ['logits'], {
          name: 'sum',
          attributes: { keepdims: { type: 'int', value: 0n } },
        }),
      ],
      inputs: [makeValueInfo('input_ids', 's64', ['batch', 'sequence'])],
      outputs: [makeValueInfo('logits', 'f32', ['batch', 2]), makeValueInfo('last_hidden_state', 'f32', ['batch', 'sequence', 2])],
      initializers: [makeTensor('table', 'f32', [30_522, 2], table), makeTensor('axes', 's64', [1], BigInt64Array.of(1n))],
    }),
    join(folder, 'model.onnx'),
  );
});

const flags = { batchSize: '4' };

describe('ne classify', () => {
  it("prints the model's own class names, best first", async () => {
    const rows = await classify(folder, ['A great, funny film.', 'boring'], { ...flags, topK: 2 });
    expect(rows.map(({ label }) => label)).toEqual(['positive', 'negative', 'negative', 'positive']);
    expect(rows[0]!['score']).toBeCloseTo(1 / (1 + Math.exp(-2)), 5);
  });
  it('reads texts from files', async () => {
    const path = join(folder, 'texts.txt');
    writeFileSync(path, 'bad\n\ngood\n');
    expect((await classify(folder, [], { ...flags, input: path, topK: 1 })).map(({ label }) => label)).toEqual(['negative', 'positive']);
    await expect(classify(folder, [], { ...flags, topK: 1 })).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(classify(folder, ['a', 'b'], { ...flags, pair: 'c', topK: 1 })).rejects.toMatchObject({ code: 'E_USAGE' });
  });
});

describe('ne embed', () => {
  it('prints a line for each text, or writes one tensor', async () => {
    const options = { ...flags, pooling: 'mean', normalize: true };
    const lines = await embed(folder, ['good', 'bad bad good'], options);
    expect(lines.map((line) => JSON.parse(line).embedding.map((x: number) => +x.toFixed(4)))).toEqual([
      [0, 1],
      [0.8944, 0.4472],
    ]);
    const output = join(folder, 'embeddings.npz');
    expect(await embed(folder, ['good', 'bad'], { ...options, output })).toEqual([]);
    expect(readNpz(readFileSync(output)).get('embeddings')).toMatchObject({ dims: [2, 2], data: Float32Array.of(0, 1, 1, 0) });
    await expect(embed(folder, ['good'], { ...options, output })).rejects.toMatchObject({ code: 'E_CANTCREAT' });
  });
});

describe('ne eval on GLUE', () => {
  const shared = process.env['NE_SHARED'] ?? fileURLToPath(new URL('../../../../shared', import.meta.url));
  const dev = join(shared, 'data/sst2/dev.tsv');
  const options = { task: 'sst2', batchSize: 64, engine: 'neural-engine' };

  it('counts the sentiment of a small file', async () => {
    const data = join(folder, 'dev.tsv');
    writeFileSync(data, 'sentence\tlabel\na great film\t1\nboring\t0\na dull film\t1\ngood fun\t1\n');
    const { figures, total } = await evaluate(folder, { ...options, data });
    // Three of four are right; of the class "positive" two are found and one is missed.
    expect({ figures, total }).toEqual({ figures: { accuracy: 0.75, f1: 0.8, matthews: expect.closeTo(0.5774, 3) }, total: 4 });
  });
  it("scores a model whose classes stand in another order, or are written otherwise, by the task's numbers and names", async () => {
    const config = join(folder, 'config.json');
    const kept = readFileSync(config, 'utf8');
    const [numbers, data] = [join(folder, 'numbers.tsv'), join(folder, 'dev.tsv')];
    writeFileSync(data, 'sentence\tlabel\na great film\t0\nboring\t1\na dull film\t0\ngood fun\t0\n');
    writeFileSync(numbers, 'sentence\tlabel\na great film\tnegative\nboring\tpositive\na dull film\tnegative\ngood fun\t0\n');
    // Its class 0 counts bad words, and is the task's class 1 now: two texts are taken for that, of which one is.
    writeFileSync(config, JSON.stringify({ id2label: { 0: 'POSITIVE', 1: 'NEGATIVE' } }));
    try {
      const expected = { accuracy: 0.75, f1: expect.closeTo(2 / 3, 10), matthews: expect.closeTo(0.5774, 3) };
      for (const file of [data, numbers]) expect((await evaluate(folder, { ...options, data: file })).figures).toEqual(expected);
      const predictions = join(folder, 'classes.json');
      await evaluate(folder, { ...options, data, predictions });
      expect(JSON.parse(readFileSync(predictions, 'utf8'))).toEqual([0, 1, 1, 0]);
    } finally {
      writeFileSync(config, kept);
    }
  });
  it('D6: a bad record stops it, or is counted out', async () => {
    const data = join(folder, 'bad.tsv');
    writeFileSync(data, 'sentence\tlabel\na great film\t1\nboring\t7\nfun\t1\n');
    await expect(evaluate(folder, { ...options, data })).rejects.toMatchObject({
      code: 'E_DATASET',
      message: expect.stringContaining('line 3'),
    });
    expect(await evaluate(folder, { ...options, data, onError: 'skip' })).toMatchObject({ total: 2, skipped: 1 });
  });
  it('names its tasks and what it misses', async () => {
    await expect(evaluate(folder, { ...options, task: 'sst3' })).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining('stsb'),
    });
    await expect(evaluate(folder, options)).rejects.toMatchObject({ code: 'E_USAGE', message: expect.stringContaining('--data') });
  });
  it.skipIf(!existsSync(dev))('agrees with counting words on the whole SST-2 development set', async () => {
    const { figures, total } = await evaluate(folder, { ...options, data: dev });
    const lines = readFileSync(dev, 'utf8').trimEnd().split('\n').slice(1);
    const right = lines.filter((line) => {
      const [sentence, label] = line.split('\t') as [string, string];
      const words = sentence.split(' ');
      const count = (list: readonly string[]) => words.filter((word) => list.includes(word)).length;
      // Equal counts are class 0: the first of equal logits.
      return count(GOOD) > count(BAD) === (label.trim() === '1');
    });
    expect(total).toBe(872);
    expect(Math.abs(figures['accuracy']! - right.length / 872)).toBeLessThan(0.004);
    expect(figures['accuracy']).toBeGreaterThan(0.55);
  });
  if (!existsSync(dev)) console.warn(`skipped: ${dev} is absent (set NE_SHARED to the data folder)`);
});
