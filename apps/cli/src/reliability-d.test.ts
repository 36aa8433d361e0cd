// The bad data sets D1 to D7 (D5, images, is not read by anything here): each gets its typed error from the command that reads it.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoModelDirectory } from '@neural-engine/demo-model';
import { makeModel, makeNode, makeTensor, makeValueInfo, writeModel } from '@neural-engine/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inProcess } from './__fixtures__/in-process';
import { run } from './__fixtures__/run';
import { writeNpz } from './npz';

const folder = mkdtempSync(join(tmpdir(), 'ne-d-'));
process.env['NE_CACHE_DIR'] = join(folder, 'cache');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const sst2 = (data: string, ...more: string[]) => inProcess(['eval', '--task', 'sst2', '-d', data, ...more]);
const squad = (data: string, ...more: string[]) => inProcess(['eval', '-d', data, ...more]);
const context = 'The mill was built in 1871.';
const squadOf = (...qas: unknown[]) => JSON.stringify({ data: [{ title: 't', paragraphs: [{ context, qas }] }] });
const question = (id: string, answer_start = 22) => ({ id, question: 'When?', answers: [{ text: '1871', answer_start }] });

describe('D1: data sets without what they need', () => {
  it.each([
    ['an empty file', 'empty.tsv', '', /holds no record/],
    ['a header alone', 'header.tsv', 'sentence\tlabel\n', /holds no record/],
    ['a missing column', 'column.tsv', 'sentence\tx\ngood\t1\n', /no column of labels/],
    ['mixed types', 'mixed.jsonl', '{"sentence":"a","label":1}\n{"sentence":3,"label":1}\n', /line 2: "sentence" is number/],
    ['a record with too few fields', 'short.tsv', 'sentence\tlabel\ngood\t1\nbad\n', /line 3: 1 fields, expected 2/],
    ['an empty JSON file', 'empty.json', '', /empty/],
  ])('D1: %s', async (_, name, content, message) => {
    const { code, out, err } = await sst2(file(name, content));
    expect([code, out]).toEqual([65, '']);
    expect(err).toMatch(/^error\[E_DATASET\] evaluate: /);
    expect(err).toMatch(message);
  });
});

describe('D2: lines that do not end, and bytes that are no text', () => {
  it('D2: a line of 1 GB is refused without reading it', async () => {
    const path = file('long.tsv', 'sentence\tlabel\n');
    truncateSync(path, 2 ** 30);
    const before = process.memoryUsage().rss;
    const started = performance.now();
    expect(await sst2(path)).toMatchObject({ code: 65, err: expect.stringMatching(/E_LIMIT.*line 2/) });
    expect(performance.now() - started).toBeLessThan(5000);
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 2 ** 20);
  });

  it.each([
    ['an unterminated quote', 'quote.csv', 'sentence,label\n"good,1\nbad,0\n', /E_DATASET.*line 2: a quote is opened/],
    ['invalid UTF-8', 'latin1.tsv', Buffer.from('sentence\tlabel\nna\xefve\t1\n', 'latin1'), /E_DATASET.*UTF-8/],
    ['JSON of 65 MiB', 'large.json', Buffer.alloc(65 * 2 ** 20, ' '), /E_LIMIT/],
  ])('D2: %s', async (_, name, content, message) => {
    expect(await sst2(file(name, content))).toMatchObject({ code: 65, out: '', err: expect.stringMatching(message) });
  });

  it('D2: CRLF, CR and a byte-order mark mean what they mean elsewhere', async () => {
    for (const [name, text] of [
      ['crlf', '\ufeffid\tquestion\r\n'],
      ['cr', 'id\tquestion\r'],
    ] as const)
      expect(await sst2(file(`${name}.tsv`, text))).toMatchObject({ code: 65, err: expect.stringContaining('holds no record') });
  });
});

describe('D3: labels and answers that cannot be', () => {
  it.each([
    ['a label out of range', 'sst2', 'range.tsv', 'sentence\tlabel\ngood\t1\nbad\t2\n', /line 3: the label "2"/],
    ['a label that is NaN', 'stsb', 'nan.tsv', 'sentence1\tsentence2\tscore\na\tb\tNaN\n', /line 2: "score" is "NaN"/],
    ['an answer outside the text', 'squad', 'outside.json', squadOf(question('a'), question('b', 400)), /qas\[1\].*27 characters/],
    ['an answer that is not there', 'squad', 'there.json', squadOf(question('a', 3)), /not at 3/],
  ])('D3: %s', async (_, task, name, content, message) => {
    const { code, out, err } = await inProcess(['eval', '--task', task, '-d', file(name, content)]);
    expect([code, out]).toEqual([65, '']);
    expect(err).toMatch(/E_DATASET/);
    expect(err).toMatch(message);
  });
});

describe('D4: folders of samples that lead elsewhere', () => {
  const model = join(folder, 'model.onnx');
  const npz = (fill: number) => writeNpz([['x', { dtype: 'f32', dims: [1, 16], data: new Float32Array(16).fill(fill) }]]);
  const samples = (name: string): string => {
    const path = join(folder, name);
    mkdirSync(path);
    for (let i = 0; i < 40; i++) writeFileSync(join(path, `${100 + i}.npz`), npz(i));
    return path;
  };
  beforeAll(async () => {
    const weight = makeTensor(
      'a',
      'f32',
      [16, 16],
      Float32Array.from({ length: 256 }, (_, i) => Math.sin(i)),
    );
    await writeModel(
      makeModel({
        nodes: [makeNode('MatMul', ['x', 'a'], ['y'], { name: 'product' })],
        inputs: [makeValueInfo('x', 'f32', ['batch', 16])],
        outputs: [makeValueInfo('y', 'f32', ['batch', 16])],
        initializers: [weight],
      }),
      model,
    );
  });
  const quantize = (calibration: string, output: string) => inProcess(['quantize', model, '-c', calibration, '-o', join(folder, output)]);

  it.runIf(process.platform === 'linux').each<[string, (path: string) => void]>([
    ['a link out of the folder', (path) => symlinkSync(file('secret.npz', npz(1e6)), path)],
    ['an absolute link to a device', (path) => symlinkSync('/dev/zero', path)],
    ['a link to nothing', (path) => symlinkSync('../absent.npz', path)],
    ['a pipe that nobody writes to', (path) => void execFileSync('mkfifo', [path])],
    ['a folder', (path) => mkdirSync(path)],
  ])('D4: %s', async (name, make) => {
    const path = samples(`samples-${name.replaceAll(' ', '-')}`);
    make(join(path, '120a.npz'));
    const started = performance.now();
    const { code, err } = await quantize(path, 'never');
    expect(code, err).toBe(77);
    expect(err).toMatch(/E_PATH.*120a\.npz/);
    expect(performance.now() - started).toBeLessThan(2000);
    expect(existsSync(join(folder, 'never'))).toBe(false);
  });

  it('D4: a link that stays inside is an ordinary sample', async () => {
    const path = samples('inside');
    symlinkSync('100.npz', join(path, '140.npz'));
    expect(await quantize(path, 'inside-ir')).toMatchObject({ code: 0, err: expect.stringContaining('calibrated on 41 samples') });
  });

  it('D4: an archive that unpacks to more than it may is refused', async () => {
    const path = samples('bomb');
    const bomb = writeNpz([['x', { dtype: 'u8', dims: [64], data: new Uint8Array(64) }]]);
    const directory = Buffer.from(bomb);
    directory.writeUInt32LE(0xffff_ffff, directory.indexOf('PK\x01\x02') + 24);
    writeFileSync(join(path, '099.npz'), directory);
    expect(await quantize(path, 'never')).toMatchObject({ code: 65, err: expect.stringContaining('E_LIMIT') });
  });

  it('D4: a data set is a file, not a device', async () => {
    expect(await sst2('/dev/zero', '--json')).toMatchObject({ code: 2, err: expect.stringContaining('E_USAGE') });
    symlinkSync('/dev/zero', join(folder, 'zero.tsv'));
    expect(await sst2(join(folder, 'zero.tsv'))).toMatchObject({ code: 74, err: expect.stringContaining('regular file') });
  });
});

describe('D6: one bad record among many', () => {
  const data = file('one-bad.json', squadOf(question('a'), question('b', 3), question('c')));
  it('D6: stops the evaluation, unless it is to be skipped; then its number is in the report', async () => {
    expect(await squad(data)).toMatchObject({ code: 65, out: '', err: expect.stringMatching(/E_DATASET.*qas\[1\]/) });
    const { code, out } = await squad(data, '--on-error', 'skip', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ total: 2, skipped: 1 });
    expect((await squad(data, '--on-error', 'skip')).err).toContain('2 questions');
    expect((await squad(data, '--on-error', 'skip')).err).toContain('1 bad records left out');
  });
  it('D6: in 10,000 costs that one', async () => {
    const lines = Array.from({ length: 10_000 }, (_, i) => (i === 7000 ? `t${i}\tx` : `t${i}\t${i % 2}`));
    const path = file('many.tsv', `sentence\tlabel\n${lines.join('\n')}\n`);
    expect(await sst2(path)).toMatchObject({ code: 65, err: expect.stringContaining('line 7002') });
  });
});

describe('D7: an evaluation that is interrupted', () => {
  it.each([[], ['--json']])('D7: prints no figure %j', async (...form) => {
    const samples = join(demoModelDirectory(), '..', 'samples');
    const [data] = readdirSync(samples).filter((name) => readFileSync(join(samples, name), 'utf8').includes('"answer_start"'));
    const predictions = join(folder, 'predictions.json');
    const args = ['eval', '-d', join(samples, data!), '-b', '1', '-t', '1', '--predictions', predictions, ...form];
    const { code, out } = await run('ne', args, { interrupt: { after: /evaluating: 10%/, with: 'SIGINT' } });
    expect([code, out]).toEqual([130, '']);
    expect(existsSync(predictions)).toBe(false);
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});
